import t from 'tap'
import { Failures, nextFailure, type Failure } from '../../../shared/detect/failures.ts'
import { sourcesOf, type Source } from '../../../shared/detect/sources.ts'
import { fail, ok } from '../../../shared/result.ts'
import { VaultFailure, type FailureKind, type Outlook } from '../../../shared/vault/store.ts'
import { objectOf } from '../../support/settings.ts'

void t.test('failures: a failure keeps the time from which it has been permanent or doubtful', async (t) => {
  let time = 0
  const clock = { now: () => time, elapsed: () => time }
  const next = (previous: Failure | undefined, outlook: Outlook) => {
    time += 1_000
    return nextFailure(previous, { kind: 'network', message: 'm', outlook }, clock)
  }
  const first = next(undefined, 'doubtful')
  t.match(first, { since: 1_000, doubtfulSince: 1_000, permanentSince: undefined })
  const second = next(first, 'permanent')
  t.match(second, { doubtfulSince: 1_000, permanentSince: 2_000 })
  const third = next(second, 'doubtful')
  t.match(third, { doubtfulSince: 1_000, permanentSince: undefined })
  const fourth = next(third, 'transient')
  t.match(fourth, { since: 1_000, doubtfulSince: undefined }, 'a transient failure starts a new count')
  t.match(next(fourth, 'doubtful'), { since: 1_000, doubtfulSince: 5_000 })
})

const sources = sourcesOf([objectOf('a'), objectOf('b')])
const [first, second] = sources as [Source, Source]
const record = { version: '1', versions: ['1'], attributes: { enabled: true }, fetchedAt: 1 }
const nothing = { unread: new Map<Source, VaultFailure>(), listFailures: [], listings: new Map(), consistent: true }
const readOf = (read: readonly Source[], failed: readonly [Source, FailureKind][], unchanged: Source[] = []) => ({
  ...nothing,
  unchanged,
  reads: new Map(read.map((source) => [source, { record }])),
  failures: new Map(failed.map(([source, kind]) => [source, new VaultFailure(kind, `it is ${kind}`)])),
})

void t.test(
  'failures: a failed rendering lasts until the object is rendered, a failed read until it is read',
  async (t) => {
    const failures = new Failures({ now: () => 7, elapsed: () => 0 })
    failures.update(sources, readOf([first], [[second, 'forbidden']]), new Map([[0, fail('no certificate')]]))
    t.match(failures.get(0), { kind: 'render', message: 'no certificate', outlook: 'permanent', since: 7 })
    t.match(failures.get(1), { kind: 'forbidden', message: 'it is forbidden' })

    failures.update(sources, readOf([second], [], [first]), new Map())
    t.match(failures.get(0), { kind: 'render' }, 'an unchanged content cannot be rendered either')
    t.notOk(failures.has(1))
    failures.update(sources, readOf([], [[first, 'timeout']]), new Map())
    t.match(failures.get(0), { kind: 'timeout' })
    t.equal(failures.isRendered(0), false)
    failures.update(sources, readOf([], [], [first]), new Map())
    t.match(failures.get(0), { kind: 'render', message: 'no certificate' }, 'nor once it can be read again')

    failures.update(sources, readOf([first], []), new Map([[0, ok({ files: [], warnings: [] })]]))
    t.notOk(failures.has(0))
    t.equal(failures.isRendered(0), true)
  },
)

void t.test(
  'failures: a throttled request shows that the vault can be reached and ends all doubts about it',
  async (t) => {
    const failures = new Failures({ now: () => 0, elapsed: () => 5 })
    failures.update(sources, readOf([], [[first, 'network']]), new Map())
    t.equal(failures.get(0)?.doubtfulSince, 5)
    failures.update(sources, readOf([], [[second, 'throttled']]), new Map())
    t.equal(failures.get(0)?.doubtfulSince, undefined)
    t.ok(failures.has(0))
  },
)

void t.test('failures: an object that was not requested fails with the reason, but not by itself', async (t) => {
  const failures = new Failures({ now: () => 7, elapsed: () => 0 })
  const stopped = (kind: FailureKind) => ({
    ...readOf([], [[first, kind]]),
    unread: new Map([[second, new VaultFailure(kind, `it is ${kind}`)]]),
  })
  failures.update(sources, stopped('timeout'), new Map())
  t.match(failures.get(1), { kind: 'timeout', message: 'it is timeout', isUnread: true })
  t.strictSame([0, 1].map(failures.isOwn), [true, false])
  failures.update(sources, stopped('network'), new Map())
  t.match(failures.get(1), { kind: 'network', isUnread: true })
  failures.update(sources, readOf([first], [[second, 'forbidden']]), new Map())
  t.match(failures.get(1), { kind: 'forbidden', isUnread: undefined })
  failures.update(sources, stopped('timeout'), new Map())
  t.match(failures.get(1), { kind: 'forbidden' }, 'what the vault said of the object itself remains true')
})
