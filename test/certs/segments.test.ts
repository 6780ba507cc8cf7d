import t from 'tap'
import {
  callSegment,
  createSegment,
  isSegment,
  knowSegments,
  planSegments,
  segmentOf,
  splitPath,
  type KnownSegments,
} from '../../certs/segments.ts'
import type { SecretState } from '../../certs/secret-state.ts'
import type { Authority, Leaf } from '../../certs/x509.ts'

const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string]

void t.test('segments: a new one has 128 random bits, in characters that the API server accepts', async (t) => {
  const made = new Set(Array.from({ length: 1000 }, createSegment))
  t.equal(made.size, 1000)
  for (const text of [`${a}x`, `${a}${b}`, `x${a}`, a.slice(1), `${a.slice(1)}/guard`, '', undefined, 1])
    t.notOk(isSegment(text), String(text))
  for (const text of [a, `${a}/guard`, `${a}/`]) t.ok(isSegment(text), text)
  for (const segment of made) if (!isSegment(segment) || !/^[0-9a-f]{32}$/.test(segment)) t.fail(segment)
})

void t.test('segments: the segment of one entry neither opens another entry nor reveals the secret', async (t) => {
  const paths = ['/mutate', '/standby', '/guard', '/copy', '/copy-guard', '/report', '/report/validate', '/validate']
  const called = [a, b].flatMap((secret) => paths.map((path) => callSegment(secret, path)))
  t.equal(new Set([a, b, ...called]).size, 18, 'each is another')
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

void t.test("segments: a URL path splits into the segment and the entry's own path", async (t) => {
  t.strictSame(splitPath(`/${a}/report/validate`), { segment: a, own: '/report/validate' })
  for (const path of ['/mutate', `/${a}`, `/${a}x/mutate`, `/x/${a}/mutate`, `/${a.toUpperCase()}/mutate`])
    t.strictSame(splitPath(path), { segment: undefined, own: path })
  for (const path of ['', '/']) t.strictSame(splitPath(path), { segment: undefined, own: '' })
  t.strictSame(splitPath(`/${a}/`), { segment: a, own: '' })
})

void t.test('segments: a segment that is no longer used is accepted for one more propagation time', async (t) => {
  const propagationMs = 60
  const look = (before: KnownSegments, now: number, stored: string[], live: string[] = []) =>
    knowSegments(
      before,
      {
        secret: { authorities: [], records: {}, segments: stored } satisfies SecretState,
        configurations: [
          {
            id: '',
            uid: '',
            generation: 1,
            webhooks: live.map((segment) => ({ name: '', authorities: [], segment, path: '/mutate' })),
          },
        ],
      },
      { now, propagationMs },
    )
  const first = look(new Map(), 0, [b, a], [a, c])
  t.strictSame(
    [...first],
    [
      [b, Infinity],
      [a, Infinity],
      [c, Infinity],
    ],
  )
  const emptied = look(first, 1000, [], [a])
  t.strictSame(
    [...emptied],
    [
      [b, 1060],
      [a, Infinity],
      [c, 1060],
    ],
    'in the order of before',
  )
  t.strictSame([...look(emptied, 1059, [], [a]).keys()], [b, a, c])
  t.strictSame([...look(emptied, 1060, [], [a]).keys()], [a])
  t.strictSame(
    [...look(emptied, 1059, [b], [a])],
    [
      [b, Infinity],
      [a, Infinity],
      [c, 1060],
    ],
    'one that is back stays',
  )
})

void t.test('segments: the old ones stay while certificates of another authority may be served', async (t) => {
  const [own, other] = ['own', 'other'].map((id) => ({ id })) as [Authority, Authority]
  const history = new Map([['x', { uid: '', generation: 1, since: new Map([[b, 0]]) }]])
  const plan = (authorities: Authority[], leaf: string) =>
    planSegments({
      secret: {
        authorities,
        signer: { authority: own, key: '' },
        leaf: { authority: leaf } as Leaf,
        records: {},
        segments: [b, a],
      },
      configurations: [],
      history,
      now: 1_000,
      lifetimes: { propagationMs: 60 },
    })
  t.strictSame(plan([own], 'own'), { type: 'drop-segments', segments: [b] })
  t.equal(plan([own, other], 'own'), undefined, 'it is trusted')
  t.equal(plan([own], 'other'), undefined, 'it is served')
})
