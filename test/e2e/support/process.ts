import { spawn } from 'node:child_process'

export interface Finished {
  code: number
  stdout: string
  stderr: string
}

/** What lives as long as a test does: tap's own, or another's that ends what was begun in it. */
export interface Lifetime {
  teardown: (end: () => unknown) => unknown
}

/** Runs a program to its end, without a shell; `input` goes to its standard input. */
export function run(
  command: string,
  args: string[],
  { input = '', seconds = 120, cwd = process.cwd() } = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: seconds * 1000, cwd })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
    child.stdin.on('error', () => {}) // it may end before it has read everything
    child.stdin.end(input)
  })
}

/** Waits until a probe gives something other than undefined or false; an error thrown by it counts as "not yet". */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  { seconds = 60, every = 250 } = {},
): Promise<T> {
  const end = Date.now() + seconds * 1000
  let last: unknown
  for (;;) {
    try {
      const value = await probe()
      if (value !== undefined && value !== false) return value
      last = undefined
    } catch (error) {
      last = error
    }
    if (Date.now() > end) {
      throw new Error(`${what}: not within ${seconds} s${last instanceof Error ? ` (${last.message})` : ''}`)
    }
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}
