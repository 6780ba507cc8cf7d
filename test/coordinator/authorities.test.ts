import t, { type Test } from 'tap'
import { realClock } from '../../shared/clock.ts'
import { SessionLoop } from '../../shared/coordination/session-loop.ts'
import { createLogger } from '../../shared/log.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import { until } from '../support/until.ts'
import { listening } from './scene.ts'

const podUid = 'f1a2'
const pod = { namespace: 'shop', pod: { name: 'web', uid: podUid }, serviceaccount: { name: 'web', uid: 'a1' } }

/** A coordinator whose certificates a test replaces, and a program that hears of its authorities. */
async function replacing(t: Test, kept: (next: string) => string | undefined = () => undefined) {
  const next = certificateFolder(t)
  const authorities: { text?: string } = {}
  const { coordinator, url, cert, token } = await listening(t, { caCertificates: () => authorities.text })
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const written: string[] = []
  const lines: string[] = []
  const loop = new SessionLoop(
    {
      access: { url, caCertificates: cert, coverageAge: 10_000, reconnect: 50 },
      readToken: () => token({ claims: { 'kubernetes.io': pod } }),
      ...{ clock: realClock, random: Math.random },
      log: createLogger('debug', { write: (line: string) => void lines.push(line) }),
      kept: { read: async () => kept(next.cert), write: async (text) => void written.push(text) },
    },
    { served: () => [], reported: () => undefined, take: () => undefined, disconnected: () => undefined },
  )
  const run = (): void => void loop.run(stop.signal)
  /** Serves the next certificate, and ends the session. */
  const replace = (): void => {
    coordinator.server.setSecureContext(next)
    coordinator.sessions.of(podUid)?.end('closed')
  }
  return { loop, run, replace, written, lines, authorities, cert, next: next.cert }
}

void t.test('authorities: a certificate of an unknown authority is not trusted, and named in the log', async (t) => {
  const { loop, run, replace, lines } = await replacing(t)
  run()
  await until('there is a session', () => loop.isConnected)
  replace()
  await until('it is not trusted', () => !loop.isTrusted)
  t.notOk(loop.isConnected)
  t.ok(lines.some((line) => line.includes("the authority of the coordinator's certificate is not trusted")))
})

void t.test('authorities: what a coordinator asks to trust holds for later sessions, and is kept', async (t) => {
  const { loop, run, replace, written, lines, authorities, cert, next } = await replacing(t)
  authorities.text = cert
  run()
  await until('there is a session', () => loop.isConnected)
  t.strictSame(written, [], 'what the settings name is known')
  authorities.text = `${cert}\n${next}`
  await until('the session hears of it', () => written.length > 0)
  t.strictSame(written, [authorities.text], 'once')
  replace()
  await until('there is a session again', () => lines.filter((line) => line.includes('"connected":true')).length === 2)
  t.ok(loop.isTrusted)
})

void t.test('authorities: the next process trusts what was kept, unless it cannot be read', async (t) => {
  const kept = await replacing(t, (next) => next)
  kept.replace()
  kept.run()
  await until('there is a session', () => kept.loop.isConnected)
  const broken = await replacing(t, () => 'no certificate')
  broken.run()
  await until('there is a session', () => broken.loop.isConnected)
})
