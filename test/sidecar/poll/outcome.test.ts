import t from 'tap'
import { judgePoll } from '../../../sidecar/poll/outcome.ts'
import type { ReadResult } from '../../../shared/detect/read-vault.ts'
import { sourcesOf, type Source } from '../../../shared/detect/sources.ts'
import { VaultFailure, type FailureKind } from '../../../shared/vault/store.ts'
import { objectOf } from '../../support/settings.ts'

const [required, optional, other] = sourcesOf([objectOf('a'), objectOf('b', { optional: true }), objectOf('c')]) as [
  Source,
  Source,
  Source,
]
const failing = (kind: FailureKind, retryAfter?: number) => new VaultFailure(kind, `it is ${kind}`, { retryAfter })

const readOf = (findings: Partial<ReadResult> & { failed?: [Source, VaultFailure][] } = {}): ReadResult => ({
  reads: new Map(),
  failures: new Map(findings.failed),
  unchanged: [],
  listFailures: [],
  listings: new Map(),
  unread: new Map(),
  consistent: true,
  ...findings,
})
const read = new Map([
  [other, { record: { version: '1', versions: ['1'], attributes: { enabled: true }, fetchedAt: 1 } }],
])

const cases: [name: string, findings: ReadResult, ready: boolean, expected: Partial<ReturnType<typeof judgePoll>>][] = [
  ['nothing failed', readOf(), true, { result: 'success', isAnswered: true, failed: false, refused: true }],
  [
    'a throttled optional object backs off',
    readOf({ failed: [[optional, failing('throttled', 7000)]] }),
    true,
    { result: 'failed', isAnswered: false, failed: true, refused: false, retryAfter: 7000, message: 'it is throttled' },
  ],
  [
    'an optional object that is forbidden is as it should be',
    readOf({ failed: [[optional, failing('forbidden')]] }),
    true,
    { result: 'success', isAnswered: true, failed: false, refused: true },
  ],
  ...(['sign-in', 'unauthorized', 'bad-request'] as const).map((kind): (typeof cases)[number] => [
    `an optional object fails with ${kind}: the vault did not say that the pod has to do without it`,
    readOf({ failed: [[optional, failing(kind)]] }),
    true,
    { result: 'failed', isAnswered: false, failed: false, refused: true, message: `it is ${kind}` },
  ]),
  ...(['gone', 'not-found', 'disabled'] as const).map((kind): (typeof cases)[number] => [
    `an optional object may be ${kind}`,
    readOf({ failed: [[optional, failing(kind)]] }),
    true,
    { result: 'success', isAnswered: true },
  ]),
  [
    'a required object that is forbidden is not retried soon once a set is served',
    readOf({ failed: [[required, failing('forbidden')]] }),
    true,
    { result: 'failed', isAnswered: false, failed: false, refused: true },
  ],
  [
    'a required object that is forbidden is retried soon before a set is served',
    readOf({ failed: [[required, failing('forbidden')]] }),
    false,
    { result: 'failed', failed: true, refused: true },
  ],
  [
    'an object that was read',
    readOf({ reads: read, failed: [[required, failing('unavailable')]] }),
    true,
    { result: 'partial', isAnswered: true, failed: true, refused: false },
  ],
  [
    'an object that a list shows to be unchanged',
    readOf({ unchanged: [other], failed: [[required, failing('unavailable')]] }),
    true,
    { result: 'partial', isAnswered: true },
  ],
  [
    'the longest wait counts',
    readOf({
      failed: [
        [required, failing('throttled', 1000)],
        [other, failing('throttled', 9000)],
      ],
    }),
    true,
    { retryAfter: 9000 },
  ],
  [
    'a list that failed',
    readOf({ listFailures: [failing('unavailable')] }),
    true,
    { result: 'failed', isAnswered: false, failed: true, message: 'it is unavailable' },
  ],
  ...(['gone', 'disabled', 'pending'] as const).map((kind): (typeof cases)[number] => [
    `${kind} is an answer`,
    readOf({ failed: [[required, failing(kind)]] }),
    true,
    { result: 'failed', isAnswered: true },
  ]),
]
for (const [name, findings, ready, expected] of cases) {
  void t.test(`outcome of a poll: ${name}`, async (t) => {
    const outcome = judgePoll({ read: findings }, ready)
    t.match(outcome, expected)
    t.equal(outcome.retryAfter, expected.retryAfter)
  })
}

void t.test('outcome of a poll: a volume that cannot be written is retried, whatever the vault answered', async (t) => {
  const volumeError = Object.assign(new Error('full'), { code: 'ENOSPC' })
  t.match(judgePoll({ read: readOf(), volumeError }, true), {
    result: 'success',
    failed: true,
    refused: false,
  })
})
