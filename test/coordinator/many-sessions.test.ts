import { readFileSync } from 'node:fs'
import t from 'tap'
import { realClock } from '../../shared/clock.ts'
import { audiencePrefix } from '../../shared/coordination/limits.ts'
import { stateLines } from '../../shared/coordination/pod-state.ts'
import { formatReport, snapshotLines } from '../../shared/coordination/reports.ts'
import { openConnection } from '../../shared/coordination/connection.ts'
import { startEmulator } from '../emulator/emulator.ts'
import { makeIssuer } from '../emulator/issuer.ts'
import { coordinatorProcess } from '../support/coordinator-process.ts'
import { freePort } from '../support/free-port.ts'
import { until } from '../support/until.ts'

const sessions = 1_000
const suffix = 'vault.emulator.example'

const residentMiB = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

void t.test('coordinator: 1,000 sessions fit into 120 MB beside the program, and all hear of a write', async (t) => {
  const issuer = makeIssuer()
  const authorityHost = 'https://login.emulator.example/'
  const emulator = await startEmulator({ suffix, authorityHost, names: ['login.emulator.example'], issuers: [issuer] })
  t.teardown(() => emulator.close())
  const vault = emulator.vault('my-kv')
  const { id } = vault.setSecret('a', 'a-1')
  const version = id.split('/').at(-1) ?? ''
  const port = await freePort()
  const { start, certificate } = await coordinatorProcess(t, { emulator, issuer, port })
  const { child } = await start()
  const before = residentMiB(child.pid ?? 0)

  const audience = `${audiencePrefix}deployment/web`
  const object = { vault: `https://my-kv.${suffix}`, type: 'secret' as const, name: 'a', version }
  const states = Array.from({ length: 5 }, (_, index) => {
    const name = index === 0 ? 'a' : `other-${index}`
    return { ...object, name, readAt: Date.now(), isPinned: false, notified: 'yes' as const }
  })
  const applied = stateLines(1, { isServing: true, isSuspended: false, permission: 'permitted', objects: states })
  let [covered, told, ended] = [0, 0, 0]
  for (let begun = 0; begun < sessions; begun++) {
    const token = await issuer.token({ namespace: 'shop', pod: `web-${begun}`, audience })
    const connection = openConnection({
      ...{ url: `https://localhost:${port}`, caCertificates: certificate.cert, token, silenceMs: 60_000 },
      onOpen: () => [...snapshotLines(1, [object]), ...applied].forEach((line) => connection.send(line)),
      onEvent(event) {
        if (event.name === 'coverage') covered++
        if (event.name === 'change') told++
        if (event.name === 'heartbeat') connection.send(formatReport({ type: 'seen', heartbeat: event.number }))
      },
      onEnd: () => ended++,
      clock: realClock,
    })
    t.teardown(() => connection.close())
    // No more handshakes at once than a coordinator gets from a fleet that comes back over 30 s.
    if (begun % 25 === 24) await until('the sessions are covered', () => covered > begun, { timeoutMs: 60_000 })
  }
  t.strictSame([covered, ended], [sessions, 0])
  const grown = residentMiB(child.pid ?? 0) - before
  t.ok(grown < 120, `${sessions} sessions take ${grown.toFixed(0)} MiB`)
  const began = performance.now()
  vault.setSecret('a', 'a-2')
  await until('all have heard', () => told >= sessions, { timeoutMs: 60_000 })
  const seconds = (performance.now() - began) / 1000
  t.ok(seconds < 20, `all have heard after ${seconds.toFixed(1)} s`)
  t.comment(`${sessions} sessions: ${grown.toFixed(0)} MiB, told after ${seconds.toFixed(1)} s`)
})
