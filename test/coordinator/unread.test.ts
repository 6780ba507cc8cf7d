import { request } from 'node:https'
import t from 'tap'
import { Session, type EndReason, type Outlet } from '../../coordinator/session.ts'
import { settled, VirtualClock } from '../support/clock.ts'
import { until } from '../support/until.ts'
import { identityOf } from './rotation/scene.ts'
import { listening } from './scene.ts'

void t.test('sessions: what a sidecar does not read is dropped with its session', async (t) => {
  const { coordinator, url, cert, token, ended } = await listening(t, {
    durations: () => ({
      ...{ watchInterval: 200, heartbeat: 60_000, coverageAge: 10_000 },
      ...{ startGrace: 0, lostGrace: 60_000, refusedAfter: 1_000, turnGrace: 0 },
    }),
  })
  const authorization = `Bearer ${await token()}`
  const outlets: Outlet[] = []
  const open = coordinator.sessions.open.bind(coordinator.sessions)
  coordinator.sessions.open = (identity, outlet) => {
    const session = open(identity, outlet)
    outlets.push(outlet)
    return session
  }
  for (let sessions = 1; sessions <= 4; sessions++) {
    const unread = request(`${url}/v1/session`, {
      ...{ method: 'POST', ca: cert, agent: false, headers: { authorization } },
    })
    unread.on('error', () => undefined)
    // Without a listener for data, nothing of it is read.
    unread.on('response', (response) => response.on('error', () => undefined))
    t.teardown(() => unread.destroy())
    unread.flushHeaders()
    const outlet = await until('the session is open', () => outlets[sessions - 1])
    // More than the kernel takes for the sidecar.
    outlet.write('x'.repeat(32 * 1024 * 1024))
    t.ok(outlet.writableLength > 0)
  }
  t.strictSame(ended, ['replaced', 'replaced', 'replaced'])
  const connections = () => new Promise((resolve) => coordinator.server.getConnections((_, count) => resolve(count)))
  await until('one connection is left', async () => (await connections()) === 1, { timeoutMs: 10_000 })
})

void t.test(
  'sessions: a connection ends with its session, and soon if the sidecar has a goodbye to read',
  async (t) => {
    const reasons: Record<EndReason, 'at once' | 'soon' | 'with the server'> = {
      ...{ left: 'at once', closed: 'at once', replaced: 'at once', expired: 'at once', malformed: 'at once' },
      ...{ flooded: 'at once', slow: 'at once', silent: 'at once', elsewhere: 'soon', shutdown: 'with the server' },
    }
    for (const [reason, when] of Object.entries(reasons)) {
      const clock = new VirtualClock()
      const calls: string[] = []
      const outlet = {
        writableLength: 0,
        write: () => undefined,
        end: () => void calls.push('end'),
        destroy: () => void calls.push('destroy'),
      }
      const session = new Session({
        ...{ identity: { ...identityOf('a'), expires: clock.now() + 3_600_000 }, outlet, clock },
        verify: () => Promise.reject(new Error('unused')),
        ...{ onSnapshot: () => undefined, onState: () => undefined, onTurn: () => undefined, onEnd: () => undefined },
      })
      session.end(reason as EndReason)
      t.strictSame(calls, [when === 'at once' ? 'destroy' : 'end'], reason)
      await clock.advance(5_000, () => settled(() => true))
      t.equal(calls.at(-1), when === 'with the server' ? 'end' : 'destroy', reason)
    }
  },
)
