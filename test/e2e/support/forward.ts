import { spawn } from 'node:child_process'
import type { Lifetime } from './process.ts'

/** Forwards a free port of this machine to a port of a pod or Service while the test runs, and returns the port. */
export async function forward(t: Lifetime, namespace: string, target: string, port: number): Promise<number> {
  const child = spawn('kubectl', ['port-forward', '-n', namespace, target, `:${port}`])
  t.teardown(() => child.kill())
  return new Promise((resolve, reject) => {
    let said = ''
    const read = (text: Buffer): void => {
      said += text.toString()
      const forwarding = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(said)
      if (forwarding?.[1] !== undefined) resolve(Number(forwarding[1]))
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('exit', () => reject(new Error(`kubectl port-forward: ${said}`)))
  })
}
