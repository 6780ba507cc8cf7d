import t from 'tap'
import { announce, completionEvents, podEvents } from '../../../coordinator/rotation/announce.ts'
import type { RotationFacts } from '../../../coordinator/rotation/answer.ts'
import { isOwnerOf } from '../../../coordinator/rotation/completions.ts'
import { createPodEvents } from '../../../coordinator/events.ts'
import type { PodState } from '../../../shared/coordination/pod-state.ts'
import type { ApiRequest } from '../../../shared/kubernetes/api.ts'
import type { SentEvent } from '../../../shared/kubernetes/event-sender.ts'
import { settled } from '../../support/clock.ts'
import { identityOf, objectState, podState, rotationsWith } from './scene.ts'

const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5d9c7', uid: 'owner-1' }
const group = 'replicaset/web'

/** What is announced in virtual time, of a vault whose newest version the test decides. */
function scene(tell?: (event: SentEvent) => Promise<void>) {
  const { rotations, clock } = rotationsWith({ limit: 1_000 })
  const told: SentEvent[] = []
  const vault = { newest: 'v1' as string | undefined }
  const facts: Pick<RotationFacts, 'rotations' | 'seen' | 'isCovered'> = {
    rotations,
    seen: () =>
      vault.newest === undefined
        ? { reason: 'look-failed' }
        : {
            object: {
              newest: { version: vault.newest },
              versions: new Map([
                ['v1', 1],
                ['v2', 2],
              ]),
            },
          },
    isCovered: () => true,
  }
  const stop = new AbortController()
  const durations = () => ({ heartbeat: 20_000, refusedAfter: 600_000 })
  void announce({ facts, clock, durations, tell: tell ?? (async (event) => void told.push(event)) }, stop.signal)
  t.teardown(() => stop.abort())
  const report = (pod: string, version: string, overrides: Partial<PodState> = {}) => {
    const state = podState([objectState('db', { version })], { owner, ...overrides })
    rotations.update({ ...identityOf(pod), group }, state)
  }
  const pass = (milliseconds: number) => clock.advance(milliseconds, () => settled(() => true))
  return { rotations, clock, vault, told, report, pass }
}

void t.test('announce: a rotation is complete once all pods of the workload use the version', async (t) => {
  const { report, vault, told, pass } = scene()
  report('web-0', 'v1')
  report('web-1', 'v1')
  await pass(60_000)
  t.strictSame(told, [], 'the version that pods started with is no rotation')
  vault.newest = 'v2'
  await pass(20_000)
  report('web-0', 'v2')
  await pass(60_000)
  t.strictSame(told, [], 'one of two')
  vault.newest = undefined
  report('web-1', 'v2')
  await pass(60_000)
  t.strictSame(told, [], 'not known')
  vault.newest = 'v2'
  await pass(60_000)
  t.match(told, [
    {
      involvedObject: { ...owner, namespace: 'shop' },
      ...{ type: 'Normal', reason: 'RotationComplete' },
      message: 'https://my-kv.vault.azure.net secret db: the apps of all 2 pods that have a session use version v2',
    },
  ])
  t.equal(told.length, 1, 'once')
})

void t.test('announce: a rotation between two looks, and one that began before the coordinator', async (t) => {
  const quick = scene()
  quick.report('web-0', 'v1')
  await quick.pass(20_000)
  quick.vault.newest = 'v2'
  quick.report('web-0', 'v2')
  await quick.pass(20_000)
  t.equal(quick.told.length, 1)
  const late = scene()
  late.vault.newest = 'v2'
  late.report('web-0', 'v1')
  await late.pass(20_000)
  late.report('web-0', 'v2')
  await late.pass(20_000)
  t.equal(late.told.length, 1)
})

void t.test('announce: a sidecar cannot have an Event written on a controller that is not its own', async (t) => {
  t.ok(isOwnerOf(owner, { group }))
  for (const [other, ofGroup] of [
    [{ ...owner, name: 'other-5d9c7' }, group],
    [{ ...owner, kind: 'StatefulSet' }, group],
    [{ ...owner, apiVersion: 'v1', kind: 'Node' }, 'node/web'],
    [{ ...owner, apiVersion: 'v1', kind: 'Secret', name: 'web' }, 'secret/web'],
    [owner, 'replicaset'],
    [{ ...owner, name: '-x' }, 'replicaset/'],
  ] as const)
    t.notOk(isOwnerOf(other, { group: ofGroup }), `${other.kind} ${other.name} of ${ofGroup}`)
  const { rotations } = rotationsWith()
  const complete = (pod: string, ofGroup: string) => {
    rotations.update({ ...identityOf(pod), group: ofGroup }, podState([objectState('db')], { owner }))
    const known = [...rotations.pods()].at(-1)
    return known ? completionEvents({ key: 'k', version: 'v', pods: 1, pod: known }) : []
  }
  t.strictSame(complete('web-0', 'replicaset/other'), [])
  t.match(complete('alone', 'pod/alone'), [
    { involvedObject: { kind: 'Pod', name: 'alone', uid: 'uid-of-shop-alone' } },
  ])
})

void t.test('announce: pods whose signal or vault needs a person', async (t) => {
  const { rotations, told, pass } = scene()
  const problem = { kind: 'forbidden', message: 'grant the role' }
  const failing = podState([objectState('a'), objectState('b', { problem }), objectState('c', { problem })])
  rotations.update(identityOf('web-0'), { ...failing, permission: 'not-permitted' })
  rotations.update(
    identityOf('web-1'),
    podState([objectState('a', { problem: { kind: 'network' } })], { permission: 'not-handled' }),
  )
  await pass(20_000)
  t.match(told, [
    { involvedObject: { kind: 'Pod', name: 'web-0', uid: 'uid-of-shop-web-0' }, reason: 'SignalNotPermitted' },
    { involvedObject: { kind: 'Pod', name: 'web-1' }, reason: 'SignalNotHandled' },
  ])
  t.equal(told.length, 2)
  // A report in between does not restart the time.
  await pass(300_000)
  rotations.update(identityOf('web-0'), failing)
  told.length = 0
  await pass(320_000)
  const refused = told.find(({ reason }) => reason === 'VaultRefused')
  t.match(refused, { type: 'Warning', message: /secret b: grant the role; and 1 more objects$/ })
  t.notOk(
    told.some(({ reason }) => reason === 'SignalNotPermitted'),
    'what is over is not told',
  )
  rotations.lose(identityOf('web-0').uid)
  t.strictSame(
    Array.from(rotations.pods()).flatMap((pod) => (pod.lostAt === undefined ? [] : podEvents(pod, Infinity))),
    [],
  )
})

void t.test('announce: Events are bounded for a namespace and for all, and counted up', async (t) => {
  const { clock } = rotationsWith()
  const calls: ApiRequest[] = []
  const tell = createPodEvents({
    api: { call: async (request) => void calls.push(request) },
    ...{ instance: 'coordinator-1', clock, log: { warn: () => undefined } },
  })
  const event = (namespace: string, pod: string): SentEvent => ({
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name: pod, uid: `${namespace}-${pod}` },
    ...{ type: 'Warning', reason: 'VaultRefused', message: 'line\n\u001b[2J'.repeat(200), identity: [] },
  })
  for (let pod = 0; pod < 100; pod++) await tell(event('shop', `web-${pod}`))
  t.equal(calls.length, 50)
  for (let namespace = 0; namespace < 100; namespace++) await tell(event(`n${namespace}`, 'web'))
  t.equal(calls.length, 50, 'all namespaces share a bound')
  await clock.advance(10_000, async () => undefined)
  for (let namespace = 0; namespace < 100; namespace++) await tell(event(`n${namespace}`, 'web'))
  t.equal(calls.length, 60)
  const body = calls[0]?.body as { message: string; metadata: { name: string }; reportingComponent: string }
  t.ok(body.message.length <= 1024)
  t.match(body.message, /^line\\u000a\\u001b\[2J/, 'one line without control characters')
  t.match(body, { metadata: { name: /^web-0\.[0-9a-f]{16}$/ }, reportingComponent: 'akv-injector-coordinator' })
  await tell(event('shop', 'web-0'))
  t.equal(calls.length, 60, 'the same is not told again within ten minutes')
})
