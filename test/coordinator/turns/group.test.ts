import t from 'tap'
import { Group } from '../../../coordinator/turns/group.ts'
import { mostUnavailable } from '../../../coordinator/turns/unavailable.ts'
import { maxHalts, maxTurnVersions } from '../../../shared/coordination/limits.ts'
import type { TurnRequest, TurnState } from '../../../shared/coordination/turns.ts'

const minute = 60_000

/** A group, and what its pods say. */
class Scene {
  readonly group = new Group()
  now = 0

  /** A pod says something; absent fields are those of a pod that is up and wants nothing. */
  says(uid: string, request?: Partial<TurnRequest>, state: Partial<TurnState> = {}) {
    const whole: TurnRequest = {
      ...{ id: `${uid}-${request?.versions?.join() ?? 'v2'}`, versions: ['v2'], objects: 'secret a', phase: 'waiting' },
      ...{ take: 0, heldMs: 0, isRefresh: false, ...request },
    }
    const common = { maxUnavailable: { count: 1 }, timeoutMs: 10 * minute, isUp: true, halts: [] }
    this.group.take({ uid, pod: uid }, { ...common, ...state, ...(request && { request: whole }) }, this.now)
    this.group.grant(this.now)
    return this.group.answer(uid)
  }

  /** A pod takes its turn and switches. */
  switches(uid: string, request: Partial<TurnRequest> = {}) {
    this.says(uid, { ...request, phase: 'taken', take: 1 })
    return this.says(uid, { ...request, phase: 'switched', take: 1 }, { isUp: false })
  }

  /** The answers of pods. */
  answers = (...uids: string[]) => uids.map((uid) => this.group.answer(uid).answer)

  /** Time passes. */
  passes(milliseconds: number): void {
    this.now += milliseconds
    this.group.expire(this.now, this.now - 5 * minute, this.now - 2 * minute)
    this.group.grant(this.now)
  }

  ends = () => this.group.takeEnds().map(({ uid, outcome }) => `${uid} ${outcome}`)
}

void t.test('turns: pods go one after the other, in the order in which they asked', async (t) => {
  const scene = new Scene()
  for (const uid of ['a', 'b', 'c']) scene.says(uid, {})
  t.strictSame(scene.answers('a', 'b', 'c'), ['granted', 'queued', 'queued'])
  t.match(scene.group.answer('c'), {
    place: 1,
    members: 3,
    reason: 'a is the first with new versions, and is yet to come up',
  })
  t.match(scene.says('a', { phase: 'taken', take: 1 }), { answer: 'acknowledged', take: 1 })
  scene.says('a', { phase: 'switched', take: 1 }, { isUp: false })
  t.strictSame(scene.answers('b', 'c'), ['queued', 'queued'])
  t.equal(scene.says('a', { phase: 'done' }).answer, 'ended')
  t.strictSame(scene.answers('b', 'c'), ['granted', 'queued'])
  t.match(scene.group.answer('c').reason, /1 pods are unavailable, and 1 may be: b holds a turn of at most 10m/)
  t.equal(scene.says('a').answer, undefined, 'a pod that wants nothing gets no answer')
  t.strictSame(scene.ends(), ['a done'])
})

void t.test('turns: a pod keeps its place when it wants a newer version, or comes back', async (t) => {
  const scene = new Scene()
  for (const uid of ['a', 'b', 'c']) scene.says(uid, {})
  scene.says('b', { versions: ['v3'] })
  scene.group.lose('b', 0)
  t.equal(scene.group.answer('c').place, 0)
  scene.says('b', { versions: ['v3'] })
  t.equal(scene.group.answer('b').place, 0)
  t.equal(scene.group.answer('c').place, 1)
  scene.says('b')
  scene.says('b', {})
  t.equal(scene.group.answer('b').place, 1, 'but not when it wanted nothing in between')
})

void t.test(
  'turns: a pod that is down gets its turn at once, and loses it if it comes up before it switches',
  async (t) => {
    const scene = new Scene()
    t.equal(scene.says('a', {}).answer, 'granted')
    t.equal(scene.says('b', {}, { isUp: false }).answer, 'granted')
    t.equal(scene.says('b', { phase: 'taken', take: 1 }).answer, 'queued')
    t.strictSame(scene.ends(), ['b declined'])
    scene.says('b', {})
    t.equal(scene.says('c', {}).answer, 'queued')
    t.equal(scene.says('d', {}, { isUp: false }).answer, 'granted', 'a pod that is down goes first')
    scene.says('a')
    t.strictSame(scene.answers('b', 'c'), ['queued', 'queued'])
  },
)

void t.test('turns: the first pod with new versions is alone', async (t) => {
  const scene = new Scene()
  const two = { maxUnavailable: { count: 2 } }
  for (const uid of ['a', 'b', 'c', 'd']) scene.says(uid, {}, two)
  t.strictSame(scene.answers('a', 'b'), ['granted', 'queued'])
  scene.says('a', { phase: 'done' }, two)
  t.strictSame(scene.answers('b', 'c', 'd'), ['granted', 'granted', 'queued'], 'then as many as may be unavailable')
  scene.says('d', { versions: ['v3'] }, two)
  scene.says('b', { phase: 'done' }, two)
  t.equal(scene.group.answer('d').answer, 'queued', 'it waits while another pod holds a turn for an older one')
  t.match(scene.group.answer('d').reason, /alone, and c holds a turn/)
  scene.says('c', { phase: 'done' }, two)
  t.equal(scene.group.answer('d').answer, 'granted')
})

void t.test('turns: a version with which a pod failed is halted until it is replaced or proves good', async (t) => {
  const scene = new Scene()
  for (const uid of ['a', 'b', 'c']) scene.says(uid, { versions: ['v2', 'w2'] })
  scene.switches('a', { versions: ['v2', 'w2'] })
  const failed = { versions: ['v2', 'w2'], phase: 'failed' as const, cause: 'three processes ended within 10s' }
  scene.says('a', failed, { isUp: false })
  t.match(scene.group.answer('b'), { answer: 'halted', reason: 'a: three processes ended within 10s' })
  t.match(scene.group.answer('b').halts, [{ versions: ['v2', 'w2'] }], 'sidecars keep it')
  t.equal(scene.says('c', { versions: ['w2'] }, { isUp: false }).answer, 'halted', 'every set with one of them waits')
  t.equal(
    scene.says('c', { versions: ['w2', 'x2'] }, { isUp: false }).answer,
    'halted',
    'also in a pod that is down for another reason, together with one that is not halted',
  )
  t.equal(scene.says('c', { versions: ['v3', 'w3'] }, { isUp: false }).answer, 'granted', 'a newer version starts over')
  scene.says('c', { versions: ['v3', 'w3'], phase: 'done' })
  scene.says('a', { versions: ['w2'], phase: 'done' })
  t.match(scene.group.answer('b').halts, [{ versions: ['v2'] }], 'a pod came up with one of them')
  scene.says('a', failed, { isUp: true })
  t.strictSame(scene.ends(), ['a failed', 'c done', 'a done', 'a failed'])
})

void t.test('turns: the pod that failed with several versions goes first when one of them is replaced', async (t) => {
  const scene = new Scene()
  for (const uid of ['a', 'b']) scene.says(uid, { versions: ['v2', 'w2'] })
  scene.switches('a', { versions: ['v2', 'w2'] })
  scene.says('a', { versions: ['v2', 'w2'], phase: 'failed' }, { isUp: false })
  t.equal(scene.says('b', { versions: ['v3', 'w2'] }).answer, 'halted')
  t.equal(scene.says('a', { versions: ['v3', 'w2'], isRepair: true }, { isUp: false }).answer, 'granted')
  scene.switches('a', { versions: ['v3', 'w2'], isRepair: true })
  t.equal(scene.group.answer('b').answer, 'halted', 'until it is up')
  scene.says('a', { versions: ['v3', 'w2'], phase: 'done' })
  t.match(scene.group.answer('b'), { answer: 'granted', halts: [{ versions: ['v2'] }] })
})

void t.test('turns: a person puts a pod at the head of the queue, and may try a halted version', async (t) => {
  const scene = new Scene()
  const two = { maxUnavailable: { count: 2 } }
  scene.says('a', {}, two)
  scene.switches('a')
  scene.says('b', { versions: ['v3'] }, two)
  scene.says('c', { versions: ['v3'], isRefresh: true }, two)
  t.strictSame(scene.answers('b', 'c'), ['queued', 'queued'], 'it bypasses nothing')
  t.equal(scene.group.answer('c').place, 0)
  scene.says('a', { phase: 'failed' }, { ...two, isUp: false })
  t.strictSame(scene.answers('b', 'c'), ['queued', 'granted'])
  scene.says('c', { versions: ['v3'], phase: 'done' }, two)

  scene.says('d', {}, two)
  t.equal(scene.group.answer('d').answer, 'halted')
  scene.says('b', undefined, two)
  t.equal(scene.says('d', { isRefresh: true }, two).answer, 'granted')
  scene.says('d', { phase: 'done' }, two)
  t.strictSame(scene.group.answer('b').halts, [], 'a pod that comes up with it lifts the halt')
})

void t.test('turns: a turn has an end, whatever happens to its pod', async (t) => {
  const scene = new Scene()
  for (const uid of ['a', 'b', 'c', 'd', 'e']) scene.says(uid, {})
  scene.group.lose('a', scene.now)
  scene.passes(0)
  t.strictSame(scene.ends(), ['a declined'], 'it was not taken')
  t.match(scene.group.answer('b').reason, /a has no session/)
  scene.group.leave('a', scene.now)
  scene.passes(0)
  t.match(scene.group.answer('b').reason, /a has ended, and no new pod has a session yet/)
  scene.passes(2 * minute + 1)
  t.equal(scene.group.members.has('a'), false, 'it is not replaced')
  t.equal(scene.group.answer('b').answer, 'granted')
  scene.passes(31_000)
  t.strictSame(scene.ends(), ['b declined'], 'its sidecar does not answer')
  t.equal(scene.group.answer('c').answer, 'granted')
  scene.switches('c')
  scene.group.leave('c', scene.now)
  scene.passes(0)
  t.strictSame(scene.ends(), ['c left'], 'the pod was deleted')
  t.equal(scene.group.answer('d').answer, 'queued')
  scene.says('f')
  t.equal(scene.group.answer('d').answer, 'granted', 'another one replaces it')
  scene.switches('d')
  scene.group.lose('d', scene.now)
  scene.passes(9 * minute)
  t.strictSame(scene.ends(), [], 'a turn outlives the session')
  t.equal(scene.group.answer('e').answer, 'queued')
  scene.passes(2 * minute)
  t.strictSame(scene.ends(), ['d lost'])
  t.strictSame(scene.group.answer('e').halts, [], 'nothing is halted')
  scene.passes(0)
  t.equal(scene.group.members.has('d'), false, 'the pod is forgotten')
})

void t.test('turns: a pod counts as down while it is replaced, until the new one is up', async (t) => {
  const scene = new Scene()
  for (const uid of ['web-0', 'web-1', 'web-2']) scene.says(uid)
  scene.says('web-0', undefined, { isUp: false })
  t.equal(scene.says('web-2', {}).answer, 'queued', 'it is evicted')
  scene.group.leave('web-0', scene.now)
  scene.passes(minute)
  t.equal(scene.group.answer('web-2').answer, 'queued', 'its sidecar has ended, too')
  t.equal(scene.group.answer('web-2').members, 2)
  scene.says('new-web-0', undefined, { isUp: false })
  scene.passes(5 * minute)
  t.match(scene.group.answer('web-2').reason, /new-web-0 is not up/)
  scene.says('new-web-0')
  t.equal(scene.group.answer('web-2').answer, 'granted')

  scene.group.leave('new-web-0', scene.now)
  scene.says('new-web-0')
  scene.says('web-2', undefined)
  t.equal(scene.says('web-1', {}).answer, 'granted', 'a pod that comes back is not down')
  scene.says('web-3')
  t.ok(scene.group.members.has('new-web-0'), 'nor replaced')
})

void t.test('turns: if the first pod with new versions leaves, nothing is halted, and the next is alone', async (t) => {
  const scene = new Scene()
  const two = { maxUnavailable: { count: 2 } }
  for (const uid of ['a', 'b', 'c']) scene.says(uid, {}, two)
  scene.switches('a')
  scene.group.leave('a', scene.now)
  scene.passes(0)
  t.strictSame(scene.answers('b', 'c'), ['granted', 'queued'])
  t.match(scene.group.answer('c'), { halts: [], reason: /b is the first with new versions/ })
  scene.says('b', { phase: 'done' }, two)
  t.equal(scene.group.answer('c').answer, 'granted')
})

void t.test('turns: a pod that is not up within turn-timeout says so before its turn is lost', async (t) => {
  const scene = new Scene()
  const two = { maxUnavailable: { count: 2 } }
  for (const uid of ['a', 'b', 'c']) scene.says(uid, {}, two)
  scene.says('a', { phase: 'taken', take: 1 }, two)
  scene.says('a', { phase: 'switched', take: 1 }, { ...two, isUp: false })
  // Its sidecar counts from the switch, looks once a second, and its message takes a while.
  scene.passes(10 * minute + 20_000)
  t.strictSame(scene.answers('b', 'c'), ['queued', 'queued'])
  scene.says('a', { phase: 'failed', take: 1 }, { ...two, isUp: false })
  scene.passes(minute)
  t.strictSame(scene.answers('b', 'c'), ['halted', 'halted'])
  t.strictSame(scene.ends(), ['a failed'], 'one turn has one end')
})

void t.test('turns: a queue of thirty pods may take longer than a turn', async (t) => {
  const scene = new Scene()
  const pods = Array.from({ length: 30 }, (_, index) => `web-${index}`)
  for (const uid of pods) scene.says(uid, {})
  for (const uid of pods) {
    t.equal(scene.group.answer(uid).answer, 'granted', uid)
    scene.switches(uid)
    scene.passes(9 * minute)
    scene.says(uid, { phase: 'done' })
    scene.passes(0)
  }
  t.strictSame(new Set(scene.ends().map((end) => end.split(' ')[1])), new Set(['done']))
})

void t.test('turns: a coordinator that has just started learns what pods hold and know', async (t) => {
  const scene = new Scene()
  scene.says('a', { phase: 'switched', take: 1, heldMs: 9 * minute }, { isUp: false })
  t.equal(scene.says('b', {}).answer, 'queued')
  const halts = [{ versions: ['v5'], reason: 'x: it ended' }]
  t.match(scene.says('c', { versions: ['v5'] }, { halts }), { answer: 'halted', reason: 'x: it ended' })
  scene.passes(2 * minute)
  t.strictSame(scene.ends(), ['a lost'], 'the turn ends when it would have ended')
  scene.says('a', { versions: ['v5'], phase: 'done' }, {})
  scene.says('d', {}, { halts })
  t.strictSame(scene.group.answer('d').halts, [], 'what a pod that was away says does not count any more')
})

void t.test('turns: the smallest limit counts, and a percentage is of the pods that have a session', async (t) => {
  const percent = (value: number, count: number) => Array.from({ length: count }, () => ({ percent: value }))
  t.equal(mostUnavailable(percent(25, 8)), 2)
  t.equal(mostUnavailable(percent(25, 7)), 1)
  t.equal(mostUnavailable(percent(1, 10)), 1, 'at least one')
  t.equal(mostUnavailable([...percent(50, 8), { count: 3 }]), 3)
})

void t.test('turns: what is remembered of versions has a bound', async (t) => {
  const scene = new Scene()
  const versions = (index: number) => Array.from({ length: maxTurnVersions / 2 }, (_, at) => `v${index}-${at}`)
  for (let index = 0; index < 20; index++) {
    scene.says(`a${index}`, { versions: versions(index), phase: 'failed' })
    const { halts } = scene.group.answer('a0')
    t.ok(halts.length <= maxHalts)
    t.ok(halts.flatMap((halt) => halt.versions).length <= maxTurnVersions)
  }
  t.strictSame(scene.group.answer('a0').halts.at(-1)?.versions, versions(19), 'the newest counts')
  for (let index = 0; index < 20; index++) scene.says('b', { versions: versions(index), phase: 'done' })
  t.equal(scene.group.halts.areProven(versions(0)), false, 'the oldest is forgotten')
  t.equal(scene.group.halts.areProven(versions(19)), true)
})
