import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { createCoordinator, type CoordinatorOptions } from '../../coordinator/coordinator.ts'
import { realClock } from '../../shared/clock.ts'
import type { CoordinatorEvent } from '../../shared/coordination/events.ts'
import { audiencePrefix } from '../../shared/coordination/limits.ts'
import { formatReport } from '../../shared/coordination/reports.ts'
import { openConnection, type ConnectionEnd } from '../../shared/coordination/connection.ts'
import { makeIssuer, type ServiceAccountTokenOptions } from '../emulator/issuer.ts'
import { FakeVault } from '../support/fake-vault.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import { until } from '../support/until.ts'

export const vaultUrl = 'https://my-kv.vault.emulator.example'

/** A coordinator that listens, with a vault in memory that has been there for a day. */
export async function listening(t: Test, overrides: Partial<CoordinatorOptions> = {}) {
  const { cert, key } = certificateFolder(t)
  const issuer = makeIssuer()
  let timeShift = -86_400_000
  const vault = new FakeVault({ now: () => Date.now() + timeShift, wait: realClock.wait })
  const refused: string[] = []
  const ended: string[] = []
  let keyReads = 0
  const coordinator = createCoordinator({
    tls: { cert, key },
    readKeys: async () => (keyReads++, { issuer: issuer.issuer, jwks: issuer.jwks }),
    vault: () => vault,
    isAllowed: (namespace) => namespace === 'shop',
    isNamed: (url, name) => url === `https://${name}.vault.emulator.example`,
    durations: () => ({
      ...{ watchInterval: 200, heartbeat: 100, coverageAge: 10_000 },
      ...{ startGrace: 0, lostGrace: 60_000, refusedAfter: 1_000, turnGrace: 0 },
    }),
    hintRate: () => 300,
    sessionLimit: 100,
    onRefused: (reason) => refused.push(reason),
    onEnd: (reason) => ended.push(reason),
    clock: realClock,
    ...overrides,
  })
  coordinator.server.listen(0, '127.0.0.1')
  await once(coordinator.server, 'listening')
  t.teardown(() => coordinator.close())
  const url = `https://localhost:${(coordinator.server.address() as AddressInfo).port}`

  const token = (options: ServiceAccountTokenOptions = {}): Promise<string> =>
    issuer.token({ namespace: 'shop', audience: `${audiencePrefix}deployment/web`, ...options })

  /** Opens a session with the sidecar's own client. */
  async function session(options: { token?: string; silenceMs?: number } = {}) {
    const events: CoordinatorEvent[] = []
    const state: { isOpen: boolean; end?: ConnectionEnd } = { isOpen: false }
    const connection = openConnection({
      url,
      caCertificates: cert,
      token: options.token ?? (await token()),
      silenceMs: options.silenceMs ?? 10_000,
      onOpen: () => (state.isOpen = true),
      onEvent: (event) => {
        events.push(event)
        if (event.name === 'heartbeat') connection.send(formatReport({ type: 'seen', heartbeat: event.number }))
      },
      onEnd: (end) => (state.end = end),
      clock: realClock,
    })
    t.teardown(() => connection.close())
    await until('the session is open or refused', () => state.isOpen || state.end !== undefined)
    return { connection, events, state }
  }
  const old = (): void => void (timeShift = 0)
  return { coordinator, vault, url, cert, issuer, token, session, refused, ended, old, keyReads: () => keyReads }
}
