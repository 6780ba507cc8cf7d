import t, { type Test } from 'tap'
import { decide } from '../../support/decide.ts'
import { type Decision } from '../../../webhook/review/decision.ts'
import { ApiError, type Api, type ApiRequest } from '../../../shared/kubernetes/api.ts'
import { pendingEvent, startEvents } from '../../../webhook/report/events.ts'
import type { Decided } from '../../../webhook/review/decision.ts'
import { annotated, reviewOf } from '../review-app.ts'
import { planInputs } from '../default-configuration.ts'
import { capturedLog } from '../../support/captured-log.ts'

const owner = (name = 'web-1') => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  name,
  uid: `uid-of-${name}`,
  controller: true,
})

function decided(
  annotations: Record<string, string> = {},
  more: Partial<Decided> = {},
  request: object = {},
  owners = [owner()],
): Decided {
  const pod = annotated(annotations, {}, { ownerReferences: owners })
  return {
    decision: decide(pod, planInputs()),
    request: reviewOf(pod, request).request,
    pod,
    purpose: 'mutate',
    report: false,
    durationMs: 1,
    ...more,
  }
}

function started(
  t: Test,
  answer: (request: ApiRequest) => unknown = () => ({}),
  owners: (name: string, request: ApiRequest) => unknown = (name) => ({ metadata: { uid: `uid-of-${name}` } }),
) {
  const calls: ApiRequest[] = []
  const api: Api = {
    async call(request) {
      // Every owner of these tests exists unless the answer says otherwise.
      const owner = /^\/apis\/(?:apps|batch)\/v1\/namespaces\/[^/]+\/[a-z]+\/([^/]+)$/.exec(request.path)?.[1]
      if (owner !== undefined) return owners(owner, request)
      calls.push(request)
      return answer(request)
    },
    follow: async () => {},
  }
  const ticks: (() => void)[] = []
  const wait = (_milliseconds: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      ticks.push(resolve)
      signal.addEventListener('abort', () => resolve())
    })
  const clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5), elapsed: () => 0, wait }
  const { log } = capturedLog()
  const events = startEvents({ api, instance: 'webhook-1', log, clock })
  t.teardown(() => events.close())
  const tick = async (): Promise<void> => {
    const before = ticks.length
    ticks.at(-1)?.()
    while (ticks.length === before) await new Promise((resolve) => setImmediate(resolve))
  }
  return { events, calls, tick }
}

void t.test('Events: an Event is written on the owner', async (t) => {
  const { events, calls, tick } = started(t)
  events.add(decided())
  t.strictSame(calls, [], 'the review does not wait for it')
  await tick()
  t.match(calls, [
    {
      method: 'POST',
      path: '/api/v1/namespaces/shop/events',
      body: {
        kind: 'Event',
        metadata: { name: /^web-1\.[0-9a-f]{14,}$/, namespace: 'shop' },
        involvedObject: {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'web-1',
          uid: 'uid-of-web-1',
          namespace: 'shop',
        },
        type: 'Normal',
        reason: 'Injected',
        message: 'sidecar in mode native, objects: 1, vaults: https://my-kv.vault.azure.net',
        count: 1,
        firstTimestamp: '2026-01-02T03:04:05Z',
        reportingInstance: 'webhook-1',
      },
    },
  ])
})

void t.test("Events: the name of an Event fits, however long the owner's name is", async (t) => {
  const { events, calls, tick } = started(t)
  const owners = [
    'a'.repeat(236),
    'b'.repeat(253),
    `${'c'.repeat(235)}-${'c'.repeat(17)}`,
    `${'d'.repeat(235)}.${'d'.repeat(17)}`,
  ]
  for (const name of owners) events.add(decided({}, {}, {}, [owner(name)]))
  await tick()
  const bodies = calls.map(({ body }) => body as { metadata: { name: string }; involvedObject: { name: string } })
  const names = bodies.map(({ metadata }) => metadata.name)
  t.match(names, [
    /^a{236}\.[0-9a-f]{16}$/,
    /^b{236}\.[0-9a-f]{16}$/,
    /^c{235}\.[0-9a-f]{16}$/,
    /^d{235}\.[0-9a-f]{16}$/,
  ])
  t.strictSame(
    bodies.map(({ involvedObject }) => involvedObject.name),
    owners,
  )
})

void t.test('Events: equal ones are counted in one Event', async (t) => {
  const { events, calls, tick } = started(t)
  for (let count = 0; count < 3; count++) events.add(decided({ mode: 'nativ' }))
  events.add(decided({ mode: 'clasic' }))
  await tick()
  t.match(calls, [
    { body: { count: 3, type: 'Warning', reason: 'InjectionDenied', message: /^annotation .*"nativ"/ } },
    { body: { count: 1, message: /clasic/ } },
  ])
  t.equal(calls.length, 2)
  const { name } = (calls[0]?.body as { metadata: { name: string } }).metadata
  events.add(decided({ mode: 'nativ' }))
  await tick()
  t.match(calls[2], {
    method: 'PATCH',
    path: `/api/v1/namespaces/shop/events/${name}`,
    contentType: 'application/merge-patch+json',
  })
  t.strictSame(calls[2]?.body, { count: 4, lastTimestamp: '2026-01-02T03:04:05Z' })
})

void t.test('Events: pods of one template share an Event, whatever the name of their token volume', async (t) => {
  const { events, calls, tick } = started(t)
  for (const name of ['x7k2p', 'abcde', '12345']) {
    const volumeMounts = [
      { name: `kube-api-access-${name}`, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
    ]
    const pod = annotated({ 'mount-path': '/var/run/secrets' }, { containers: [{ name: 'app', volumeMounts }] })
    events.add(decided({}, { decision: decide(pod, planInputs()) }))
    await tick()
  }
  t.strictSame(
    calls.map(({ method }) => method),
    ['POST', 'PATCH', 'PATCH'],
  )
  t.match(
    calls.map(({ body }) => body),
    [{ count: 1, reason: 'InjectionDenied' }, { count: 2 }, { count: 3 }],
  )
})

void t.test('Events: an Event that the cluster deleted is created again', async (t) => {
  const { events, calls, tick } = started(t, ({ method }) => {
    if (method === 'PATCH') throw new ApiError(404, 'not found')
  })
  for (let round = 0; round < 3; round++) {
    events.add(decided())
    await tick()
  }
  t.strictSame(
    calls.map(({ method }) => method),
    ['POST', 'PATCH', 'POST', 'PATCH', 'POST'],
  )
  t.match(calls.at(-1), { body: { count: 1 } })
})

void t.test('Events: an exit sends what waits, and gives up if that fails', async (t) => {
  const { events, calls } = started(t)
  for (const name of ['a', 'b']) events.add(decided({}, {}, {}, [owner(name)]))
  await events.close()
  t.equal(calls.length, 2)
  const other = started(t, () => {
    throw new Error('connection refused')
  })
  for (const name of ['a', 'b', 'c']) other.events.add(decided({}, {}, {}, [owner(name)]))
  await other.events.close()
  t.equal(other.calls.length, 1)
})

void t.test('Events: a full queue drops new ones, and sending continues after a failure', async (t) => {
  let failing = true
  const { events, calls, tick } = started(t, () => {
    if (failing) throw new Error('connection refused')
  })
  for (let index = 0; index < 600; index++)
    events.add(decided({}, {}, { namespace: `team-${index % 20}` }, [owner(`web-${index}`)]))
  t.equal(events.dropped(), 100)
  await tick()
  t.equal(calls.length, 500)
  failing = false
  events.add(decided())
  await tick()
  t.equal(calls.length, 501)
})

void t.test('Events: an Event goes only to an owner that exists, with its UID', async (t) => {
  const looked: string[] = []
  const { events, calls, tick } = started(t, undefined, (name, { path, accept }) => {
    looked.push(path)
    t.match(accept, /PartialObjectMetadata/)
    if (name === 'gone') throw new ApiError(404, 'not found')
    if (name === 'forbidden') throw new ApiError(403, 'forbidden')
    return { metadata: { uid: `uid-of-${name}` } }
  })
  for (const round of [1, 2]) {
    for (const name of ['web', 'gone', 'forbidden']) events.add(decided({ splay: `x${round}` }, {}, {}, [owner(name)]))
    for (const uid of ['made-up', 'uid-of-web-2'])
      events.add(decided({ splay: `x${round}` }, {}, {}, [{ ...owner('web'), uid }]))
    await tick()
  }
  const paths = ['web', 'gone', 'forbidden'].map((name) => `/apis/apps/v1/namespaces/shop/replicasets/${name}`)
  t.strictSame(looked, paths, 'each is looked up once, whatever uid is claimed')
  t.match(
    calls,
    [1, 2].map(() => ({ method: 'POST', body: { involvedObject: { name: 'web', uid: 'uid-of-web' } } })),
  )
  t.equal(calls.length, 2)
})

void t.test('Events: a made-up owner does not suppress the Events of a real one', async (t) => {
  const { events, calls, tick } = started(t)
  for (const namespace of ['other', 'shop'])
    events.add(
      decided({}, {}, { namespace }, [
        { ...owner('web'), uid: 'uid-of-web', name: namespace === 'shop' ? 'web' : 'made-up' },
      ]),
    )
  await tick()
  t.match(calls, [{ path: '/api/v1/namespaces/shop/events' }])
})

void t.test('Events: an owner of an unknown kind or with an invalid name gets none', async (t) => {
  for (const [what, other] of Object.entries({
    'an owner of another kind': { kind: 'Node', apiVersion: 'v1' },
    'a kind of another group': { apiVersion: 'evil.example/v1' },
    'another version': { apiVersion: 'apps/v1beta1' },
    'a name that leads elsewhere': { name: '..' },
    'a name of two segments': { name: 'web/status' },
    'a name with a query': { name: 'web?watch=1' },
    'a property of every object': { kind: 'constructor', apiVersion: '' },
    'a long uid': { uid: 'x'.repeat(1000) },
  }))
    t.equal(pendingEvent(decided({}, {}, {}, [{ ...owner(), ...other }])), undefined, what)
  for (const namespace of ['..', '', 'a/b', 'x'.repeat(300)])
    t.equal(pendingEvent(decided({}, {}, { namespace })), undefined, `namespace ${namespace.slice(0, 20)}`)
  t.equal(pendingEvent(decided({}, {}, { dryRun: true })), undefined, 'a dry run')
  t.equal(pendingEvent(decided({}, {}, {}, [])), undefined, 'a bare pod')
  t.equal(
    pendingEvent(decided({}, {}, {}, [{ ...owner(), controller: false }])),
    undefined,
    'an owner that does not control',
  )
  t.equal(pendingEvent(decided({}, { purpose: 'validate' })), undefined, 'a template')
  t.equal(
    pendingEvent(decided({}, { decision: { kind: 'skip', reason: 'already-injected', warnings: [] } })),
    undefined,
  )
  t.match(pendingEvent(decided({ inject: 'false' })), {
    reason: 'InjectionSkipped',
    message: 'the annotation inject is "false"',
  })
  t.match(pendingEvent(decided({}, { report: true })), { reason: 'Injected', message: /^report only: sidecar/ })
  for (const purpose of ['standby', 'guard', 'copy-guard'] as const) {
    t.equal(pendingEvent(decided({}, { report: true, purpose })), undefined, 'what the other half has reported')
    t.match(pendingEvent(decided({}, { purpose })), { reason: 'Injected' })
  }
  for (const purpose of ['env', 'env-standby'] as const) {
    t.equal(pendingEvent(decided({}, { purpose })), undefined, 'an earlier review has reported the injection')
    const decision: Decision = { kind: 'deny', problems: [{ reason: 'env', text: 'too old' }], warnings: [] }
    t.match(pendingEvent(decided({}, { decision, purpose })), { reason: 'InjectionDenied' })
  }
  for (const reason of ['overloaded', 'unavailable'] as const) {
    const decision: Decision = { kind: 'deny', problems: [{ reason, text: 'try again' }], warnings: [] }
    t.equal(pendingEvent(decided({}, { decision })), undefined, 'what the standby is asked about')
    t.match(pendingEvent(decided({}, { decision, purpose: 'standby' })), { reason: 'InjectionDenied' })
  }
})
