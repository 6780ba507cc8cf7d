import t from 'tap'
import { countPods } from '../../../coordinator/rotation/counts.ts'
import { answerRotation, type RotationFacts, type Seen } from '../../../coordinator/rotation/answer.ts'
import { exitCodeOf, podStates, type PodRotation } from '../../../shared/coordination/rotation.ts'
import type { ObjectState, PodState } from '../../../shared/coordination/pod-state.ts'
import { identityOf, objectState, podState, rotationsWith, vault } from './scene.ts'

const newest: Seen = {
  object: {
    newest: { version: 'v2', created: 10 },
    versions: new Map([
      ['v1', 1],
      ['v2', 10],
    ]),
  },
}

function scene(overrides: Partial<RotationFacts> = {}) {
  const { rotations, clock } = rotationsWith({ limit: 1_000 })
  const facts: RotationFacts = {
    ...{ rotations, clock, seen: () => newest, isCovered: () => true, served: () => [], waitsFor: () => undefined },
    isNamed: (url, name) => url === `https://${name}.vault.azure.net`,
    ...{ startedAt: 0, startGrace: () => 180_000 },
    ...overrides,
  }
  const add = (pod: string, object: Partial<ObjectState> = {}, state: Partial<PodState> = {}): void =>
    rotations.update(identityOf(pod), podState([objectState('db', object)], state))
  const ask = (name = 'db') => {
    const answer = answerRotation('My-KV', name, facts)
    return { answer, code: exitCodeOf(answer) }
  }
  return {
    rotations,
    clock,
    facts,
    add,
    ask,
    pass: (milliseconds: number) => clock.advance(milliseconds, async () => undefined),
  }
}

void t.test('rotation: all pods serve the newest version, and were notified', async (t) => {
  const { add, ask, pass } = scene()
  add('web-0', { version: 'v2' })
  add('web-1', { version: 'v2' })
  t.equal(ask().code, 3, 'the coordinator has just started')
  t.match(ask().answer.unknown, [/has run for 0 s, and sidecars have 3m/])
  await pass(180_000)
  const { answer, code } = ask('DB')
  t.equal(code, 0)
  t.match(answer.objects, [
    { vault, name: 'db', total: 2, current: 2, others: [], newest: { version: 'v2', created: 10 } },
  ])
  t.strictSame(answer.objects[0]?.uids, ['uid-of-shop-web-0', 'uid-of-shop-web-1'])
})

void t.test('rotation: each pod whose app does not use the newest version is named with the cause', async (t) => {
  const cases: [state: PodRotation['state'], cause: RegExp, object: Partial<ObjectState>, pod?: Partial<PodState>][] = [
    ['failing', /^forbidden: grant the role$/, { problem: { kind: 'forbidden', message: 'grant the role' } }],
    ['failing', /^forbidden: see the log/, { problem: { kind: 'forbidden' } }],
    ['suspended', /remove the annotation .*\/suspend/, {}, { isSuspended: true }],
    ['pinned', /requests this version/, { isPinned: true }],
    ['notifying', /within splay/, { version: 'v2', notified: 'pending' }],
    ['notifying', /does not run/, { version: 'v2', notified: 'pending' }, { outcome: 'no-such-process' }],
    ['notifying', /may not signal/, { version: 'v2', notified: 'pending' }, { outcome: 'not-permitted' }],
    ['unnotified', /neither signal nor notify-url/, { version: 'v2', notified: 'none' }],
    ['unnotified', /environment variable/, { version: 'v2', notified: 'variable' }],
    ['behind', /was sent a hint/, {}],
    ['behind', /no complete set/, { version: undefined as never, notified: 'pending' }, { isServing: false }],
  ]
  for (const [state, cause, object, pod] of cases) {
    const { add, ask, pass } = scene()
    add('web-0', { version: 'v2' })
    add('web-1', object, pod)
    await pass(180_000)
    const { answer, code } = ask()
    t.match(answer.objects[0]?.others, [{ namespace: 'shop', pod: 'web-1', state, cause }], state)
    t.equal(code, 1, state)
  }
  const { add, ask, pass } = scene({ isCovered: () => false })
  add('web-0')
  await pass(180_000)
  t.match(ask().answer.objects[0]?.others, [{ state: 'behind', cause: /^no hint reaches it/ }])
})

void t.test('rotation: what is not known is said, and is not called complete', async (t) => {
  const lost = scene()
  lost.add('web-0', { version: 'v2' })
  await lost.pass(180_000)
  lost.rotations.lose(identityOf('web-0').uid)
  t.match(lost.ask().answer.objects[0]?.others, [{ state: 'lost' }])
  t.equal(lost.ask().code, 3)
  await lost.pass(700_000)
  t.match(lost.ask(), { code: 3, answer: { objects: [], unknown: [/no pod with a session has the object/] } })

  const ahead = scene()
  ahead.add('web-0', { version: 'v3' })
  await ahead.pass(180_000)
  t.match(ahead.ask(), { code: 3, answer: { objects: [{ others: [{ state: 'ahead' }] }] } })

  const blind = scene({ seen: () => ({ reason: 'look-failed' }) })
  blind.add('web-0', { version: 'v2' })
  await blind.pass(180_000)
  t.match(blind.ask(), { code: 3, answer: { objects: [{ unknown: ['look-failed'], others: [] }] } })
  blind.add('web-1', { problem: { kind: 'forbidden' } })
  t.equal(blind.ask().code, 1, 'a pod that cannot read the object is still behind')

  const object = { vault, type: 'secret' as const, name: 'db' }
  const silent = scene({ served: () => [{ identity: identityOf('old-0'), object }] })
  await silent.pass(180_000)
  t.match(silent.ask(), {
    code: 3,
    answer: { objects: [{ total: 1, others: [{ pod: 'old-0', state: 'unreported' }] }] },
  })
  silent.rotations.update(identityOf('old-0'), podState([objectState('db', { version: 'v2' })]))
  t.equal(silent.ask().code, 0, 'it has said it')
})

void t.test('rotation: those who have to act come first, and a bounded number of pods is named', async (t) => {
  const { add, ask, pass, rotations } = scene()
  for (let pod = 0; pod < 600; pod++) add(`web-${pod}`)
  add('last', { problem: { kind: 'forbidden' } })
  await pass(180_000)
  rotations.lose(identityOf('web-0').uid)
  const [object] = ask().answer.objects
  t.equal(object?.others[0]?.pod, 'last')
  t.strictSame([object?.total, object?.others.length, object?.left], [601, 500, { behind: 100, unknown: 1 }])
  t.equal(ask().code, 1)
})

void t.test('rotation: metrics count each pod once, in the state to act on first', async (t) => {
  const { facts, rotations } = scene()
  const add = (pod: string, ...objects: ObjectState[]) => rotations.update(identityOf(pod), podState(objects))
  const forbidden = { problem: { kind: 'forbidden' } }
  add('web-0', objectState('a', { version: 'v2' }), objectState('b', { version: 'v2' }))
  add('web-1', objectState('a', { version: 'v2' }), objectState('b', forbidden), objectState('c'))
  add('web-2', objectState('a', { version: 'v2', notified: 'none' }), objectState('b', { version: 'v2' }))
  add('web-3', objectState('a'))
  const none = Object.fromEntries(Object.keys(podStates).map((state) => [state, 0]))
  t.strictSame(countPods(facts), { ...none, current: 1, failing: 1, unnotified: 1, behind: 1 })
  const blind = { ...facts, seen: (): Seen => ({ reason: 'look-failed' }) }
  t.strictSame(countPods(blind), { ...none, current: 3, failing: 1 }, 'a look that failed makes no pod late')
})
