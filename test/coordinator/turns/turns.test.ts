import t, { type Test } from 'tap'
import type { CoordinatorOptions } from '../../../coordinator/coordinator.ts'
import { turnEvents } from '../../../coordinator/turns/events.ts'
import { Turns } from '../../../coordinator/turns/turns.ts'
import { formatReport } from '../../../shared/coordination/reports.ts'
import { stateLines } from '../../../shared/coordination/pod-state.ts'
import type { TurnEvent, TurnRequest, TurnState } from '../../../shared/coordination/turns.ts'
import type { SentEvent } from '../../../shared/kubernetes/event-sender.ts'
import { settled, VirtualClock } from '../../support/clock.ts'
import { until } from '../../support/until.ts'
import { identityOf } from '../rotation/scene.ts'
import { listening, vaultUrl } from '../scene.ts'

const requestOf = (uid: string, fields: Partial<TurnRequest> = {}): TurnRequest => ({
  ...{ id: `request-of-${uid}`, versions: ['abcdefghijkl'], objects: 'secret db', phase: 'waiting' },
  ...{ take: 0, heldMs: 0, isRefresh: false, ...fields },
})

const stateOf = (request?: TurnRequest, fields: Partial<TurnState> = {}): TurnState => ({
  ...{ maxUnavailable: { count: 1 }, timeoutMs: 600_000, isUp: true, halts: [], ...fields },
  ...(request && { request }),
})

/** A coordinator that decides, and sessions of pods with the real client. */
async function scene(t: Test, overrides: Partial<CoordinatorOptions> = {}) {
  const told: SentEvent[] = []
  const outcomes: string[] = []
  const coordination = await listening(t, {
    lease: { heldMs: 1, other: undefined },
    tell: async (event) => void told.push(event),
    onTurn: (outcome) => outcomes.push(outcome),
    ...overrides,
  })
  const pod = async (name: string) => {
    const token = await coordination.token({ pod: name })
    const { connection, events, state } = await coordination.session({ token })
    const answers = () => events.flatMap((event) => (event.name === 'turn' ? event : []))
    return {
      ...{ connection, events, state },
      says: (turn: TurnState) => connection.send(formatReport({ type: 'turn', ...turn })),
      gets: (answer: TurnEvent['answer']) =>
        until(`${name} gets ${answer}`, () => answers().some((one) => one.answer === answer)),
      last: () => answers().at(-1),
    }
  }
  return { ...coordination, told, outcomes, pod }
}

void t.test('turns: a session carries them, and a heartbeat repeats the answer', async (t) => {
  const { pod, coordinator, outcomes } = await scene(t)
  const [a, b] = [await pod('a'), await pod('b')]
  a.says(stateOf(requestOf('a')))
  await a.gets('granted')
  b.says(stateOf(requestOf('b')))
  await b.gets('queued')
  t.equal(coordinator.turns.counts().waiting, 2)
  const before = b.events.filter(({ name }) => name === 'turn').length
  await until('it is repeated', () => b.events.filter(({ name }) => name === 'turn').length > before + 1)
  a.says(stateOf(requestOf('a', { phase: 'taken', take: 1 })))
  await a.gets('acknowledged')
  a.says(stateOf(requestOf('a', { phase: 'done', take: 1 })))
  await Promise.all([a.gets('ended'), b.gets('granted')])
  t.strictSame(outcomes, ['done'])
  b.connection.leave(formatReport({ type: 'leaving' }))
  await until('b has left', () => outcomes.includes('left'))
  t.equal(coordinator.turns.counts().waiting, 0)
})

void t.test('turns: a failure halts the group, and an Event says so on the pod and its controller', async (t) => {
  const { pod, coordinator, told, vault } = await scene(t)
  const version = vault.set('db', '1')
  const [a, b] = [await pod('web-5d9c7-a'), await pod('web-5d9c7-b')]
  const object = { vault: vaultUrl, type: 'secret' as const, name: 'db', version, readAt: 1 }
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'owner' }
  for (const one of [a, b]) {
    const objects = [{ ...object, isPinned: false, notified: 'yes' as const }]
    one.connection.send(formatReport({ type: 'snapshot', number: 1, part: 0, parts: 1, objects: [object] }))
    one.connection.send(stateLines(1, { isServing: true, isSuspended: false, owner, objects })[0] as string)
  }
  a.says(stateOf(requestOf('a')))
  await a.gets('granted')
  a.says(stateOf(requestOf('a', { phase: 'taken', take: 1 })))
  await a.gets('acknowledged')
  const failed = { phase: 'failed' as const, cause: 'three processes ended within 10s' }
  a.says(stateOf(requestOf('a', failed), { isUp: false }))
  b.says(stateOf(requestOf('b')))
  await b.gets('halted')
  t.match(b.last(), {
    reason: 'web-5d9c7-a: three processes ended within 10s',
    halts: [{ versions: ['abcdefghijkl'] }],
  })
  t.equal(coordinator.turns.counts().halted, 1)
  vault.set('db', '2')
  const cause = () =>
    coordinator.rotation('my-kv', 'db').objects[0]?.others.find((one) => one.pod === 'web-5d9c7-b')?.cause
  await until('the state of the rotation has the reason', () => cause()?.startsWith('halted: web-5d9c7-a: three'))
  t.match(told, [{ involvedObject: { kind: 'Pod', name: 'web-5d9c7-a' }, reason: 'TurnFailed', type: 'Warning' }])
  t.match(
    told[0]?.message,
    /new version of secret db: three processes ended within 10s\..*Do not drain, scale or roll out/s,
  )
})

void t.test('turns: the Event is written on the controller of the group alone', async (t) => {
  const end = { uid: 'u', pod: 'web-0', outcome: 'failed' as const, request: requestOf('a') }
  const identity = { ...identityOf('web-0'), group: 'statefulset/web' }
  const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'owner' }
  const kinds = (events: SentEvent[]) => events.map(({ involvedObject }) => involvedObject.kind)
  t.strictSame(kinds(turnEvents({ identity, owner }, end)), ['Pod', 'StatefulSet'])
  t.strictSame(kinds(turnEvents({ identity, owner: { ...owner, name: 'other' } }, end)), ['Pod'])
  t.strictSame(kinds(turnEvents({ identity, owner: undefined }, end)), ['Pod'])
  t.strictSame(turnEvents({ identity, owner }, { ...end, outcome: 'lost' }), [])
})

void t.test('turns: a coordinator that does not decide grants nothing, and sends pods away', async (t) => {
  const lease = { heldMs: undefined as number | undefined, other: undefined as string | undefined }
  const clock = new VirtualClock()
  const { pod, ended } = await scene(t, { lease })
  const a = await pod('a')
  a.says(stateOf(requestOf('a')))
  await a.gets('queued')
  t.match(a.last()?.reason, /does not have its Lease/)
  lease.heldMs = 1
  await a.gets('granted')

  const sent: TurnEvent[] = []
  const dismissed: string[] = []
  const turns = new Turns({
    ...{ clock, limit: 10, lostGrace: () => 60_000, turnGrace: () => 1_000, onEnd: () => undefined },
    send: (_, event) => sent.push(event),
    dismiss: (uid) => dismissed.push(uid),
    authority: { whyNot: () => 'another coordinator has the Lease: b', isElsewhere: () => true },
  })
  turns.take(identityOf('a'), stateOf(requestOf('a')))
  turns.take(identityOf('b'), stateOf())
  await clock.advance(200, () => settled(() => true))
  t.strictSame(dismissed, [identityOf('a').uid], 'a pod that wants nothing stays')
  turns.close()
  t.strictSame(ended, [])
})

void t.test('turns: pods of other groups and namespaces are not concerned', async (t) => {
  const { coordinator, pod, token, session } = await scene(t)
  const a = await pod('a')
  a.says(stateOf(requestOf('a')))
  await a.gets('granted')
  const other = await session({
    token: await token({ pod: 'c', audience: 'akv-injector-coordinator/job/c' }),
  })
  other.connection.send(formatReport({ type: 'turn', ...stateOf(requestOf('c')) }))
  const elsewhere = await session({ token: await token({ pod: 'd', namespace: 'team-a' }) })
  elsewhere.connection.send(formatReport({ type: 'turn', ...stateOf(requestOf('d')) }))
  const isGranted = (one: typeof other) =>
    one.events.some((event) => event.name === 'turn' && event.answer === 'granted')
  await until('both are granted', () => isGranted(other) && isGranted(elsewhere))
  t.equal(coordinator.turns.counts().waiting, 3)
})

/** Turns in virtual time that hold the Lease, and whose events go nowhere. */
function turnsAlone(options: { limit: number; turnGraceMs: number }) {
  const clock = new VirtualClock()
  const turns = new Turns({
    ...{ clock, limit: options.limit, lostGrace: () => 60_000, turnGrace: () => options.turnGraceMs },
    ...{ send: () => undefined, dismiss: () => undefined, onEnd: () => undefined },
    authority: { whyNot: () => undefined, isElsewhere: () => false },
  })
  const pass = (milliseconds: number) => clock.advance(milliseconds, () => settled(() => true))
  return { clock, turns, pass }
}

void t.test('turns: pods that lost their sessions are remembered, in bounded number and time', async (t) => {
  const { clock, turns, pass } = turnsAlone({ limit: 5, turnGraceMs: 10_000 })
  for (let index = 0; index < 20; index++) {
    const identity = identityOf(`web-${index}`)
    turns.take(identity, stateOf(requestOf(`${index}`)))
    turns.end(identity.uid, false)
  }
  turns.take(identityOf('last'), stateOf(requestOf('last')))
  await pass(1_000)
  t.match(turns.answer(identityOf('last').uid), { answer: 'queued', reason: /^5 pods are unavailable, and 1 may be: / })
  t.match(turns.waitsFor(identityOf('last').uid), /^it waits for its turn: 5 pods/)
  await pass(60_000)
  t.equal(turns.answer(identityOf('last').uid)?.answer, 'granted')
  t.equal(turns.answer(identityOf('web-19').uid), undefined)
  turns.end(identityOf('last').uid, true)
  const left = Array.from({ length: 20 }, (_, index) => identityOf(`job-${index}`))
  for (const identity of left) turns.take(identity, stateOf())
  for (const { uid } of left) turns.end(uid, true)
  turns.take(identityOf('next'), stateOf(requestOf('next')))
  await pass(1_000)
  t.match(turns.answer(identityOf('next').uid)?.reason, /^4 pods are unavailable/, 'it replaces one of five')
  await pass(10_000)
  t.equal(turns.answer(identityOf('next').uid)?.answer, 'granted')
  turns.end(identityOf('next').uid, true)
  await pass(12_000)
  t.equal(clock.waiting, 0, 'without pods, nothing runs')
})

void t.test('turns: a pod with tokens for several groups is a member of one at a time', async (t) => {
  const { clock, turns, pass } = turnsAlone({ limit: 10, turnGraceMs: 1_000 })
  const own = identityOf('x')
  for (const group of ['deployment/web', 'job/a', 'job/b']) {
    turns.take({ ...own, group }, stateOf(requestOf('x'), { isUp: false }))
    await pass(1_000)
    t.equal(turns.counts().waiting, 1, group)
  }
  const web = { ...identityOf('web-0'), group: 'deployment/web' }
  turns.take(web, stateOf(requestOf('web-0')))
  await pass(1_000)
  t.equal(turns.answer(web.uid)?.answer, 'granted', 'its first group does not wait for it')
  for (const { uid } of [own, web]) turns.end(uid, true)
  await pass(2_000)
  t.equal(clock.waiting, 0, 'no group is left')
})
