import t from 'tap'
import { reconnectDelay } from '../../../shared/coordination/reconnect.ts'
import { coordinatedPod, coveredPod } from './scene.ts'

const first = { failingMs: 0, attempts: 0, jitterMs: 30_000 }

void t.test('reconnecting: within 30 s at first, then more and more seldom, at most every 10 min', async (t) => {
  t.equal(
    reconnectDelay({}, first, () => 0),
    0,
  )
  t.equal(
    reconnectDelay({}, { ...first, failingMs: 119_000, attempts: 7 }, () => 1),
    30_000,
  )
  const later = [0, 1, 2, 3, 4, 5, 100].map((attempts) =>
    reconnectDelay({}, { ...first, failingMs: 200_000, attempts }, () => 1),
  )
  t.strictSame(later, [30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000])
  t.equal(
    reconnectDelay({ status: 401 }, first, () => 0.5),
    600_000,
    'a refusal',
  )
  t.equal(
    reconnectDelay({ status: 503, retryAfterMs: 600_000 }, first, () => 0),
    600_000,
    'Retry-After',
  )
})

void t.test('reconnecting: a sidecar comes back, reports again and is covered again', async (t) => {
  const { pod, net, end, sessions, served, look, cover, pass } = await coveredPod(t)
  net.isUp = false
  await end()
  await pod.advance(60_000)
  const attempts = sessions.length
  t.ok(attempts > 5)
  net.isUp = true
  await pod.advance(10_000)
  t.equal(served().number, 1, 'the numbers of snapshots begin again')
  t.equal(served().objects.length, 2)
  await look()
  await cover()
  await pass(300_000)
  pod.vault.asked.length = 0
  await pass(1_200_000)
  t.strictSame(pod.vault.asked, [])
})

void t.test('reconnecting: a renewed token goes up the same session', async (t) => {
  const { pod, tokens, sent, pass } = await coveredPod(t)
  t.notMatch(sent, [{ line: /"token"/ }])
  tokens[0] = 'token-2'
  await pass(600_000)
  t.strictSame(
    sent.flatMap(({ line, session }) => (line.includes('"token"') ? [[line, session]] : [])),
    [['{"type":"token","token":"token-2"}', 1]],
  )
  t.notOk(JSON.stringify(pod.lines).includes('token-2'), 'and into no log')
})

void t.test('reconnecting: without a token or a coordinator, the pod polls as always', async (t) => {
  const { pod, tokens, net } = await coordinatedPod(t, ['a'])
  tokens.length = 0
  net.isUp = false
  await pod.start()
  await pod.advance(5_000)
  pod.vault.set('a', 'a-2')
  await pod.advance(130_000)
  t.equal(pod.files()['a'], 'a-2')
})
