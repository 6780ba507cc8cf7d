import { join } from 'node:path'
import type { Finding } from '../../../cli/check/finding.ts'
import { eventually } from './eventually.ts'
import { run } from './process.ts'

const program = join(import.meta.dirname, '../../../dist/cli.js')

export interface Checked {
  code: number
  findings: Finding[]
}

/** Runs `akv-injector check` as it is released. @throws Error with its messages if it cannot check */
export async function check(...flags: string[]): Promise<Checked> {
  const { code, stdout, stderr } = await run(process.execPath, [program, 'check', '-o', 'json', ...flags])
  if (code === 2 || stderr !== '') throw new Error(`check ${flags.join(' ')}: exit code ${code}: ${stderr}`)
  return { code, findings: JSON.parse(stdout) as Finding[] }
}

/** Returns the findings of a status, a line for each. */
export const linesOf = ({ findings }: Checked, status: Finding['status']): string[] =>
  findings
    .filter((one) => one.status === status)
    .map(({ check, place, text, remedy = '' }) => `${check}: ${place}: ${text} -> ${remedy}`)

/** Runs the command until its exit code is 0. */
export const healthy = (...flags: string[]): Promise<Checked> => {
  let last: Checked | undefined
  return eventually(
    'check finds nothing wrong',
    async () => {
      last = await check(...flags)
      return last.code === 0 && last
    },
    { seconds: 90, every: 500 },
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${last === undefined ? '' : linesOf(last, 'FAIL').join('\n')}`)
  })
}

/** Runs the command until one of its failures matches, and returns it together with its remedy. */
export const failure = (pattern: RegExp, ...flags: string[]): Promise<string> =>
  eventually(
    `check fails with ${String(pattern)}`,
    async () => {
      const checked = await check(...flags)
      return checked.code === 1 && linesOf(checked, 'FAIL').find((line) => pattern.test(line))
    },
    { seconds: 90, every: 500 },
  )
