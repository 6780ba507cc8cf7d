import { spawn } from 'node:child_process'

export interface Finished {
  code: number
  stdout: string
  stderr: string
}

/** Something with the lifetime of a test: tap's own test, or one that ends what was started in it. */
export interface Lifetime {
  teardown: (end: () => unknown) => unknown
}

/** Runs a program to its end, without a shell; `input` is its standard input. */
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
