import { existsSync } from 'node:fs'
import { codeBlocks, marks, prose, readMark, type Block } from './markdown.ts'

const isShell = (language: string): boolean => ['sh', 'bash', 'shell', 'console'].includes(language)

/** What the checks of commands compare with. */
export interface Commands {
  /** Scripts of package.json. */
  scripts: readonly string[]
  /** The help of `akv-injector` and of each of its commands, by their words. */
  help: ReadonlyMap<string, string>
  /** Pages whose unmarked shell blocks a test runs, in order. */
  run: readonly string[]
}

/** Shell blocks that no test runs and that say no reason, and commands of this repository that do not exist. */
export function shellProblems(page: string, text: string, commands: Commands): string[] {
  const wrong = codeBlocks(text)
    .filter(({ language }) => isShell(language))
    .flatMap((block) => {
      const problem = markProblem(block, commands.run.includes(page))
      return problem === undefined ? [] : [`${page}:${block.line}: ${problem}`]
    })
  return [
    ...wrong,
    ...[...scriptProblems(text, commands), ...cliProblems(page, text, commands)].map((one) => `${page}: ${one}`),
  ]
}

/** @param isRun whether a test runs the unmarked blocks of the page */
function markProblem({ comment }: Block, isRun: boolean): string | undefined {
  const read = readMark(comment)
  if (read === undefined) return isRun ? undefined : `no test runs this block: mark it with one of ${marks.join(', ')}`
  if (read.mark !== 'replaced in tests') return undefined
  if (read.files.length === 0) return 'which test replaces this block? <!-- replaced in tests: FILE, FILE -->'
  const missing = read.files.filter((file) => !existsSync(file))
  return missing.length === 0 ? undefined : `there is no file ${missing.join(', ')}, which replaces this block`
}

function* scriptProblems(text: string, { scripts }: Commands): Generator<string> {
  for (const [, name = ''] of text.matchAll(/\bnpm run ([\w:-]+)/g))
    if (!scripts.includes(name)) yield `npm run ${name}: package.json has no such script`
}

/** The command line's name at the beginning of code or after a pipe, and what follows it. */
const calls = /(?:^|\| )akv-injector ([a-z][^|\n]*)/gm

/** The code of a page: shell blocks, and code within a line. */
const codeOf = (text: string): string =>
  [
    ...codeBlocks(text).flatMap((block) => (isShell(block.language) ? [block.text] : [])),
    ...[...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code),
  ].join('\n')

function* cliProblems(page: string, text: string, { help }: Commands): Generator<string> {
  // Its tables list options alone.
  const listed = page.endsWith('/command-line.md') ? [...prose(text).matchAll(/`(--?[a-z][\w-]*)[^`]*`/g)] : []
  const known = new Set([...help.values()].flatMap((one) => [...optionsOf(one)]))
  for (const [, option = ''] of listed) if (!known.has(option)) yield `akv-injector has no option ${option}`
  for (const [, call = ''] of codeOf(text).matchAll(calls)) {
    const words = call.trim().split(/\s+/)
    const [first = '', second = ''] = words
    const command = [`${first} ${second}`, first].find((name) => help.has(name))
    if (command === undefined) {
      yield `akv-injector ${call.trim()}: there is no such command`
      continue
    }
    for (const option of words.filter((word) => /^--?[a-z]/.test(word)))
      if (!optionsOf(help.get(command) ?? '').has(option)) yield `akv-injector ${command} has no option ${option}`
  }
}

const optionsOf = (help: string): Set<string> =>
  new Set([...help.matchAll(/(?<![\w-])--?[a-z][\w-]*/g)].map(([option]) => option))
