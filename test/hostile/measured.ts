import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** How long one input blocked the event loop. */
export interface Measured {
  name: string
  /** Milliseconds. */
  time: number
  /** What was reported about the input, and the pattern that it should match. */
  said?: string[]
  says?: string
}

/**
 * Runs a program of this folder that measures, in a process without the test runner.
 * @param mostTimes how many times the last figure another may be; the program stops trying once it is within that
 * @param input for its standard input
 */
export async function measure(program: string, mostTimes: number, input = ''): Promise<Measured[]> {
  const running = promisify(execFile)(process.execPath, [join(import.meta.dirname, program), `${mostTimes}`], {
    maxBuffer: 2 ** 26,
  })
  running.child.stdin?.end(input)
  const { stdout } = await running
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Measured)
}
