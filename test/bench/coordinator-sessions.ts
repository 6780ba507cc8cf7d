import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { audiencePrefix } from '../../shared/coordination/limits.ts'
import { root } from '../demo/bundles.ts'
import { startEmulator } from '../emulator/emulator.ts'
import { makeIssuer } from '../emulator/issuer.ts'
import { coordinatorProcess } from '../support/coordinator-process.ts'
import { freePort } from '../support/free-port.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import type { Bench } from './bench.ts'
import type { BenchContext } from './bench-context.ts'
import { hasProc, memory } from './proc.ts'

const few = 1_000
const many = 10_000
const suffix = 'vault.emulator.example'
/** As large a fleet may take so long to open its sessions, in milliseconds. */
const longestMs = 120_000

/** The memory of the coordinator with real sessions, which two processes hold; the floor is the same process without any. */
export const coordinatorSessions: Bench = {
  ids: ['coordinator-memory-1000', 'coordinator-memory-10000'],
  lacks: () => (hasProc ? undefined : 'the memory of a process, as Linux shows it'),
  async run(context) {
    const figures = await withSessions(context, [few, many])
    const row = (index: number) => ({
      unit: 'MB',
      samples: [figures[index + 1] ?? NaN],
      floor: [figures[0] ?? NaN],
    })
    return [
      { id: 'coordinator-memory-1000', ...row(0), target: { atMost: 120 } },
      { id: 'coordinator-memory-10000', ...row(1), target: { atMost: 1_000 } },
    ]
  },
}

/** The anonymous memory of one process without sessions, and with each of these numbers of them. */
async function withSessions(context: BenchContext, counts: number[]): Promise<number[]> {
  const ends: (() => unknown)[] = []
  const life = { teardown: (end: () => unknown) => void ends.unshift(end) }
  try {
    const issuer = makeIssuer()
    const authorityHost = 'https://login.emulator.example/'
    const emulator = await startEmulator({
      suffix,
      authorityHost,
      names: ['login.emulator.example'],
      issuers: [issuer],
    })
    life.teardown(() => emulator.close())
    const version = emulator.vault('my-kv').setSecret('a', 'a-1').id.split('/').at(-1) ?? ''
    const port = await freePort()
    const certificate = certificateFolder(life)
    const program = { script: join(root, 'dist/coordinator.js'), durations: { heartbeat: '20s', coverageAge: '60s' } }
    const { start } = await coordinatorProcess(life, { emulator, issuer, port, ...program }, certificate)
    const { child } = await start()
    const pid = child.pid ?? 0
    await sleep(2_000)
    const figures = [memory(pid).anonymous]
    let open = 0
    for (const count of counts) {
      const halves = [Math.ceil((count - open) / 2), Math.floor((count - open) / 2)]
      const clients = await Promise.all(
        halves.map(async (size, half) => {
          const names = Array.from({ length: size }, (_, index) => `web-${count}-${half}-${index}`)
          const audience = `${audiencePrefix}deployment/web`
          const tokens = await Promise.all(names.map((pod) => issuer.token({ namespace: 'shop', pod, audience })))
          const file = join(context.folder(), 'tokens')
          writeFileSync(file, tokens.join('\n'))
          const script = join(import.meta.dirname, 'coordinator-clients.ts')
          const args = [script, `https://localhost:${port}`, join(certificate.folder, 'tls.crt'), file, version]
          return context.supervisor.start(`sidecars ${half}`, process.execPath, args, {})
        }),
      )
      for (const client of clients) life.teardown(() => client.stop(1_000))
      await Promise.all(
        clients.map((client, half) =>
          client.line('open sessions', (line) => line === `open ${halves[half]}` || undefined, longestMs),
        ),
      )
      open = count
      // Two heartbeats, and what is left of the handshakes is collected.
      await sleep(45_000)
      figures.push(memory(pid).anonymous)
    }
    return figures
  } finally {
    for (const end of ends) await end()
  }
}
