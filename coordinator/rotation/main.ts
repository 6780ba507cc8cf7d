/** The program `rotation.js VAULT NAME`, which asks the coordinator of its own pod where the rotation of an object is. */
import { get } from 'node:http'
import { json } from 'node:stream/consumers'
import { exitCodeOf, type RotationAnswer } from '../../shared/coordination/rotation.ts'
import { rotationText } from '../../shared/coordination/rotation-text.ts'
import { defaultStatePort } from '../state-port.ts'
import { loopback, rotationPath } from './local-server.ts'

const usage = 'usage: rotation.js [--json] VAULT NAME'
const timeoutMs = 10_000

function ask(port: number, vault: string, name: string): Promise<RotationAnswer> {
  const path = `${rotationPath}?${new URLSearchParams({ vault, name }).toString()}`
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    get({ host: loopback, port, path, agent: false, signal }, (response) => {
      if (response.statusCode === 200) resolve(json(response) as Promise<RotationAnswer>)
      else reject(new Error(`the coordinator answers ${response.statusCode}`))
    }).on('error', reject)
  })
}

async function main(args: readonly string[]): Promise<number> {
  const isJson = args.includes('--json')
  const [vault, name, ...rest] = args.filter((arg) => arg !== '--json')
  if (!vault || !name || rest.length > 0 || vault.startsWith('-')) {
    console.error(usage)
    return 2
  }
  const answer = await ask(Number(process.env['STATE_PORT'] || defaultStatePort), vault, name)
  process.stdout.write(isJson ? `${JSON.stringify(answer)}\n` : rotationText(answer))
  return exitCodeOf(answer)
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    console.error(`rotation.js: cannot ask the coordinator: ${(error as Error).message}`)
    process.exitCode = 2
  },
)
