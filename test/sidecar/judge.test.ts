import t from 'tap'
import { judge } from '../../sidecar/judge.ts'
import type { Findings } from '../../sidecar/read.ts'
import { sourcesOf, type Source } from '../../sidecar/sources.ts'
import { VaultFailure, type FailureKind } from '../../sidecar/vault/vault.ts'
import { objectOf } from './support/settings.ts'

const [required, optional, other] = sourcesOf([objectOf('a'), objectOf('b', { optional: true }), objectOf('c')]) as [Source, Source, Source] // prettier-ignore
const failing = (kind: FailureKind, retryAfter?: number) => new VaultFailure(kind, `it is ${kind}`, { retryAfter })

const found = (findings: Partial<Findings> & { failed?: [Source, VaultFailure][] } = {}): Findings => ({
  reads: new Map(),
  failures: new Map(findings.failed),
  unchanged: [],
  listFailures: [],
  listings: new Map(),
  settled: true,
  ...findings,
})
const read = new Map([
  [other, { record: { version: '1', versions: ['1'], attributes: { enabled: true }, fetchedAt: 1 } }],
])

const cases: [name: string, findings: Findings, ready: boolean, verdict: Partial<ReturnType<typeof judge>>][] = [
  ['nothing failed', found(), true, { result: 'success', isAnswered: true, failed: false, refused: true }],
  ['a throttled optional object backs off', found({ failed: [[optional, failing('throttled', 7000)]] }), true, { result: 'failed', isAnswered: false, failed: true, refused: false, retryAfter: 7000, message: 'it is throttled' }],
  ['an optional object that is forbidden is as it should be', found({ failed: [[optional, failing('forbidden')]] }), true, { result: 'success', isAnswered: true, failed: false, refused: true }],
  ['a required object that is forbidden is not retried soon once a set is served', found({ failed: [[required, failing('forbidden')]] }), true, { result: 'failed', isAnswered: false, failed: false, refused: true }],
  ['and is before that', found({ failed: [[required, failing('forbidden')]] }), false, { result: 'failed', failed: true, refused: true }],
  ['an object that was read', found({ reads: read, failed: [[required, failing('unavailable')]] }), true, { result: 'partial', isAnswered: true, failed: true, refused: false }],
  ['an object that a list shows to be unchanged', found({ unchanged: [other], failed: [[required, failing('unavailable')]] }), true, { result: 'partial', isAnswered: true }],
  ['the longest wait counts', found({ failed: [[required, failing('throttled', 1000)], [other, failing('throttled', 9000)]] }), true, { retryAfter: 9000 }],
  ['a list that failed', found({ listFailures: [failing('unavailable')] }), true, { result: 'failed', isAnswered: false, failed: true, message: 'it is unavailable' }],
  ...(['gone', 'disabled', 'pending'] as const).map((kind): (typeof cases)[number] => [`${kind} is an answer`, found({ failed: [[required, failing(kind)]] }), true, { result: 'failed', isAnswered: true }]),
] // prettier-ignore
for (const [name, findings, ready, verdict] of cases) {
  void t.test(`verdict of a poll: ${name}`, async (t) => {
    const given = judge({ found: findings, warnings: [], missing: [] }, ready)
    t.match(given, verdict)
    t.equal(given.retryAfter, verdict.retryAfter)
  })
}

void t.test('verdict of a poll: a volume that cannot be written is tried again, whatever the vault says', async (t) => {
  const volumeError = Object.assign(new Error('full'), { code: 'ENOSPC' })
  t.match(judge({ found: found(), warnings: [], missing: [], volumeError }, true), {
    result: 'success',
    failed: true,
    refused: false,
  })
})
