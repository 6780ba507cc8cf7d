import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { audiencePrefix } from '../../shared/coordination/limits.ts'
import { root } from '../demo/bundles.ts'
import type { Watched } from '../demo/processes.ts'
import { startEmulator } from '../emulator/emulator.ts'
import { makeIssuer } from '../emulator/issuer.ts'
import { coordinatorProcess } from '../support/coordinator-process.ts'
import { freePort } from '../support/free-port.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import { until } from '../support/until.ts'
import type { Bench } from './bench.ts'
import type { BenchContext } from './bench-context.ts'
import { cpuTime, hasProc, memory } from './proc.ts'

const few = 1_000
const many = 10_000
const suffix = 'vault.emulator.example'
/** As large a fleet may take so long to open its sessions, in milliseconds. */
const longestMs = 120_000
/** Two heartbeats, and what is left of the handshakes is collected. */
const settleMs = 45_000

/**
 * The coordinator with real sessions, which two processes hold: its memory, its processor time for each new session, and how long a
 * fleet takes to come back after a restart. The floor of the memory is the same process without any session.
 */
export const coordinatorSessions: Bench = {
  ids: [
    ...['coordinator-memory-1000', 'coordinator-memory-10000'],
    ...['coordinator-session-cpu', 'coordinator-reconnect-10000'],
  ],
  lacks: () => (hasProc ? undefined : 'the memory of a process, as Linux shows it'),
  async run(context) {
    const { idle, memories, sessionCpu, reconnect } = await withSessions(context)
    const row = (index: number) => ({ unit: 'MB', samples: [memories[index] ?? NaN], floor: [idle] })
    return [
      { id: 'coordinator-memory-1000', ...row(0), target: { atMost: 120 } },
      { id: 'coordinator-memory-10000', ...row(1), target: { atMost: 1_000 } },
      { id: 'coordinator-session-cpu', unit: 'ms', samples: [sessionCpu] },
      // Sidecars come back at a random moment of 30 s.
      { id: 'coordinator-reconnect-10000', unit: 's', samples: [reconnect], target: { atMost: 60 } },
    ]
  },
}

async function withSessions(context: BenchContext) {
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
    const idle = memory(pid).anonymous
    const before = cpuTime(pid)
    const memories: number[] = []
    const fleet: Part[] = []
    let sessionCpu = NaN
    for (const [more, count] of [
      [few, few],
      [many - few, many],
    ] as const) {
      const parts = await Promise.all([Math.ceil(more / 2), Math.floor(more / 2)].map((size) => part(size, `${count}`)))
      fleet.push(...parts)
      await Promise.all(parts.map((one) => isOpen(one, 1)))
      sessionCpu = (cpuTime(pid) - before) / count
      await sleep(settleMs)
      memories.push(memory(pid).anonymous)
    }
    child.kill('SIGKILL')
    await once(child, 'exit')
    await start()
    const restarted = performance.now()
    await Promise.all(fleet.map((one) => isOpen(one, 2)))
    return { idle, memories, sessionCpu, reconnect: (performance.now() - restarted) / 1000 }

    async function part(size: number, name: string): Promise<Part> {
      const audience = `${audiencePrefix}deployment/web`
      const pods = Array.from({ length: size }, (_, index) => `web-${name}-${index}`)
      const tokens = await Promise.all(pods.map((pod) => issuer.token({ namespace: 'shop', pod, audience })))
      const file = join(context.folder(), 'tokens')
      writeFileSync(file, tokens.join('\n'))
      const script = join(import.meta.dirname, 'coordinator-clients.ts')
      const args = [script, `https://localhost:${port}`, join(certificate.folder, 'tls.crt'), file, version]
      const clients = context.supervisor.start(`${size} sidecars`, process.execPath, args, {})
      life.teardown(() => clients.stop(1_000))
      return { clients, size }
    }
  } finally {
    for (const end of ends) await end()
  }
}

/** A process that holds sessions of a part of the fleet. */
interface Part {
  clients: Watched
  size: number
}

/** Resolves when all of its sessions were open so many times. */
const isOpen = ({ clients, size }: Part, times: number): Promise<unknown> =>
  until(
    `${size} sidecars have sessions`,
    () => clients.lines.filter((line) => line === `open ${size}`).length >= times || clients.exit !== undefined,
    { timeoutMs: longestMs },
  )
