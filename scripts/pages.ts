/** `node scripts/pages.ts` checks the links, code blocks and commands of every Markdown page, as a part of `npm run check`. */
import { globSync, readFileSync } from 'node:fs'
import { runProgram } from '../cli/program.ts'
import { linkProblems } from './pages/links.ts'
import { manifestProblems } from './pages/manifests.ts'
import { shellProblems, type Commands } from './pages/shell.ts'
import { tableProblems } from './pages/tables.ts'

/** Every page of the repository. */
export const pages = (): string[] =>
  globSync('{*,.github/**/*,{bench,docs,manifests,scripts,test}/**/*}.md', {
    exclude: ['test/migrate-examples/example/**'],
  }).sort()

/** The pages whose shell blocks are run: by scenarios on a cluster, and `command-line.md` by `test/cli/page.test.ts`. */
const run = ['getting-started-kind', 'operating', 'troubleshooting', 'kubernetes-secrets', 'command-line'].map(
  (name) => `docs/${name}.md`,
)

/** Returns what is wrong with a page, as sentences. */
export async function pageProblems(page: string, text: string, commands: Commands): Promise<string[]> {
  return [
    ...linkProblems(page, text),
    ...tableProblems(page, text),
    ...shellProblems(page, text, commands),
    ...(await manifestProblems(page, text)),
  ]
}

/** The commands that pages may name. */
export async function knownCommands(): Promise<Commands> {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
  const help = new Map<string, string>()
  await collectHelp([], help)
  return { scripts: Object.keys(scripts), help, run }
}

/** Asks the command line for its help, and for that of each command in it. */
async function collectHelp(words: readonly string[], help: Map<string, string>): Promise<void> {
  let text = ''
  const print = (more: string): void => void (text += more)
  await runProgram([...words, '--help'], {
    version: '0.0.0',
    read: () => Promise.reject(new Error('help reads no file')),
    out: print,
    err: print,
    exit: () => undefined,
  })
  help.set(words.join(' '), text)
  const [, list = ''] = /^Commands:\n([^]*)/m.exec(text) ?? []
  for (const [, name = ''] of list.matchAll(/^ {2}([a-z]+)\b/gm))
    if (name !== 'help') await collectHelp([...words, name], help)
}

if (import.meta.main) {
  const commands = await knownCommands()
  for (const page of pages()) {
    for (const problem of await pageProblems(page, readFileSync(page, 'utf8'), commands)) {
      console.error(problem)
      process.exitCode = 1
    }
  }
}
