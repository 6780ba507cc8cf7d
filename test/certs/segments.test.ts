import t from 'tap'
import {
  callSegment,
  createSegment,
  isSegment,
  knowSegments,
  segmentOf,
  splitPath,
  type KnownSegments,
} from '../../certs/segments.ts'
import type { SecretState } from '../../certs/secret.ts'

const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string]

void t.test('segments: a new one is 128 bits of which the API server takes every character', async (t) => {
  const made = new Set(Array.from({ length: 1000 }, createSegment))
  t.equal(made.size, 1000)
  for (const segment of made) if (!isSegment(segment) || !/^[0-9a-f]{32}$/.test(segment)) t.fail(segment)
})

void t.test('segments: what opens one entry opens no other, and does not show the secret', async (t) => {
  const paths = ['/mutate', '/standby', '/guard', '/copy', '/report', '/report/validate', '/validate']
  const called = [a, b].flatMap((secret) => paths.map((path) => callSegment(secret, path)))
  t.equal(new Set([a, b, ...called]).size, 16, 'each is another')
  for (const one of called) t.match(one, /^[0-9a-f]{32}$/)
  t.equal(callSegment(a, '/guard'), '788fccebd674b7049452932b4b0b72a5', 'HMAC-SHA256, as by OpenSSL')
  const guard = callSegment(a, '/guard')!
  t.equal(segmentOf(guard, '/guard', [b, a]), a)
  for (const path of ['/mutate', '/guard/', '']) t.not(segmentOf(guard, path, [b, a]), a, path)
  t.equal(segmentOf(undefined, '/guard', [a]), undefined)
  const alone = segmentOf(guard, '/guard', [b])!
  t.ok(isSegment(alone), 'the Secret can have it')
  t.equal(callSegment(alone, '/guard'), guard, 'where the secret is lost it opens what it did')
  for (const path of paths) if (path !== '/guard') t.equal(callSegment(alone, path), undefined, path)
})

void t.test('segments: a path is its segment and the path of its own', async (t) => {
  t.strictSame(splitPath(`/${a}/report/validate`), { segment: a, own: '/report/validate' })
  for (const path of ['/mutate', `/${a}`, `/${a}x/mutate`, `/x/${a}/mutate`, `/${a.toUpperCase()}/mutate`])
    t.strictSame(splitPath(path), { segment: undefined, own: path })
  for (const path of ['', '/']) t.strictSame(splitPath(path), { segment: undefined, own: '' })
  t.strictSame(splitPath(`/${a}/`), { segment: a, own: '' })
})

void t.test(
  'segments: one that is nowhere any more is answered to for another settle time, by each look',
  async (t) => {
    const settle = 60
    const look = (before: KnownSegments, now: number, stored: string[], live: string[] = []) =>
      knowSegments(
        before,
        {
          secret: { authorities: [], records: {}, segments: stored } satisfies SecretState,
          configurations: [{ id: '', uid: '', generation: 1, webhooks: live.map((segment) => ({ name: '', authorities: [], segment, path: '/mutate' })) }], // prettier-ignore
        },
        { now, settle },
      )
    const first = look(new Map(), 0, [b, a], [a, c])
    t.strictSame([...first], [[b, Infinity], [a, Infinity], [c, Infinity]]) // prettier-ignore
    const emptied = look(first, 1000, [], [a])
    t.strictSame([...emptied], [[b, 1060], [a, Infinity], [c, 1060]], 'in the order of before') // prettier-ignore
    t.strictSame([...look(emptied, 1059, [], [a]).keys()], [b, a, c])
    t.strictSame([...look(emptied, 1060, [], [a]).keys()], [a])
    t.strictSame([...look(emptied, 1059, [b], [a])], [[b, Infinity], [a, Infinity], [c, 1060]], 'one that is back stays') // prettier-ignore
  },
)
