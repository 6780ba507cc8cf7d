import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeBlocks, readMark } from '../../../scripts/pages/markdown.ts'
import type { Finished } from './process.ts'
import { run } from './process.ts'

/** A command of a page, with its output and the output that the page shows. */
export interface Step {
  command: string
  output: string
  expected: string[]
}

const border = '--- step '

/**
 * Runs the page's shell blocks in order, as a reader would: in one shell, in a folder with the files that its YAML blocks name in their
 * first line. Blocks that are replaced in tests or need Azure are left out.
 * @param replace changes a text before it is used, such as the name of an image that needs a registry
 * @param files further files of the folder, by name; programs among them are found by their names
 * @returns the steps, each with the lines of the text block that follows it
 */
export async function runPage(
  path: string,
  replace: (text: string) => string = (text) => text,
  files: Readonly<Record<string, string>> = {},
): Promise<Finished & { steps: Step[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'akv-injector-page-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o755 })
  const steps: Step[] = []
  for (const { language, text, comment } of codeBlocks(readFileSync(path, 'utf8'))) {
    const mark = readMark(comment)?.mark
    if (mark === 'replaced in tests' || mark === 'needs Azure') continue
    const [, file] = /^# (\S+\.yaml)\n/.exec(text) ?? []
    if (language === 'yaml' && file !== undefined) writeFileSync(join(folder, file), replace(text))
    if (language === 'sh') steps.push({ command: replace(text), output: '', expected: [] })
    if (language === 'text') steps.at(-1)?.expected.push(...text.trim().split('\n'))
  }
  // A file, not standard input: a command that reads its own would take the rest of the script.
  const script = join(folder, 'steps.sh')
  const commands = steps.map(({ command }, index) => `printf '\\n%s\\n' '${border}${index}'\n${command}`)
  writeFileSync(script, `exec 2>&1\nPATH="$PWD:$PATH"\n${commands.join('')}`)
  try {
    const finished = await run('bash', ['-euo', 'pipefail', script], { seconds: 400, cwd: folder })
    const outputs = finished.stdout.split(new RegExp(`^${border}\\d+$`, 'm')).slice(1)
    return { ...finished, steps: steps.map((step, index) => ({ ...step, output: outputs[index] ?? '' })) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
