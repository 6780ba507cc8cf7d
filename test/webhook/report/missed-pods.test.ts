import t, { type Test } from 'tap'
import { annotationPrefix, injectionLabel, systemLabel, workloadIdentityLabel } from '../../../shared/names.ts'
import { startAudit, type AuditOptions } from '../../../webhook/report/missed-pods.ts'
import { missOf, scopeOf, type PodMetadata } from '../../../webhook/report/misses.ts'
import { ApiError, type ApiRequest } from '../../../shared/kubernetes/api.ts'
import type { Metadata } from '../../../shared/kubernetes/reflector.ts'
import { FakeApi } from '../../support/fake-api.ts'
import { capturedLog } from '../../support/captured-log.ts'

const namespace = (labels: Record<string, string>, name = 'shop'): Metadata => ({ name, labels })
const enabled = namespace({ [injectionLabel]: 'enabled' })
const ours = (annotations: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations).map(([name, value]) => [annotationPrefix + name, value]))
const pod = (annotations: Record<string, string> = {}, more: Partial<PodMetadata> = {}): PodMetadata => ({
  name: 'web-1',
  namespace: 'shop',
  uid: 'uid-of-web-1',
  labels: { [workloadIdentityLabel]: 'true' },
  annotations: ours({ objects: 'db-password', ...annotations }),
  ...more,
})
const mirror = { ...ours({ objects: 'a' }), 'kubernetes.io/config.mirror': 'x' }

const podsOf = (namespace: string, length: number): PodMetadata[] =>
  Array.from({ length }, (_, index) => pod({}, { name: `web-${index}`, namespace, uid: `${namespace}-${index}` }))

void t.test('audit: why a pod that requests injection has no sidecar', async (t) => {
  const cases: [what: string, pod: PodMetadata, namespace: Metadata | undefined, reason: string | undefined][] = [
    ['all labels are there', pod(), enabled, 'missed'],
    ['by a class', pod({}, { annotations: ours({ 'secret-provider-class': 'web' }) }), enabled, 'missed'],
    ['it has one', pod({ status: 'injected' }), enabled, undefined],
    ['another status is no sidecar', pod({ status: 'wanted' }), enabled, 'missed'],
    ['it did not ask', pod({}, { annotations: ours({ vault: 'my-kv' }) }), enabled, undefined],
    ['no annotations', { name: 'web-1', namespace: 'shop' }, enabled, undefined],
    ['opted out', pod({ inject: 'false' }), enabled, undefined],
    ['opted in explicitly', pod({ inject: 'true' }), enabled, 'missed'],
    ['about to go', pod({}, { deletionTimestamp: '2026-01-01T00:00:00Z' }), enabled, undefined],
    ['no label on the pod', pod({}, { labels: {} }), enabled, 'no-label'],
    ['the label says no', pod({}, { labels: { [workloadIdentityLabel]: 'false' } }), enabled, 'no-label'],
    ['no label on the namespace', pod(), namespace({}), 'no-namespace-label'],
    ['neither label', pod({}, { labels: {} }), namespace({}), 'no-namespace-label'],
    ['another value on the namespace', pod(), namespace({ [injectionLabel]: 'disabled' }), 'no-namespace-label'],
    ['only reported there', pod(), namespace({ [injectionLabel]: 'report' }), undefined],
    ['a static pod', pod({}, { annotations: mirror }), enabled, 'mirror-pod'],
    ['a system namespace', pod(), namespace({ [injectionLabel]: 'enabled', [systemLabel]: 'true' }), undefined],
    ['kube-system', pod(), namespace({ [injectionLabel]: 'enabled' }, 'kube-system'), undefined],
    ['a namespace made since', pod(), undefined, undefined],
  ]
  for (const [what, pod, namespace, reason] of cases)
    t.equal(missOf(pod, namespace && scopeOf(namespace)), reason, what)
})

/** Takes Events as the API server does: one of a name. */
class ApiWithEvents extends FakeApi {
  readonly events = new Map<string, unknown>()
  refusal: Error | undefined

  override async call(request: ApiRequest): Promise<unknown> {
    if (request.method !== 'POST') return super.call(request)
    if (this.refusal) throw this.refusal
    const { metadata } = request.body as { metadata: { name: string } }
    if (this.events.has(metadata.name)) throw new ApiError(409, 'already exists')
    this.events.set(metadata.name, request.body)
    return {}
  }
}

function cluster(pods: PodMetadata[], namespaces: Metadata[] = []) {
  const api = new ApiWithEvents()
  api.lists.set('/api/v1/namespaces', [enabled, namespace({}, 'other'), namespace({}, 'kube-system'), ...namespaces])
  api.lists.set('/api/v1/pods', pods)
  return api
}

/** An audit whose time passes when a test says so. */
function started(t: Test, api: ApiWithEvents, more: Partial<AuditOptions> = {}) {
  const counts: Record<string, number>[] = []
  const pauses: number[] = []
  let passed: (() => void) | undefined
  const wait = (milliseconds: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      pauses.push(milliseconds)
      passed = resolve
      signal.addEventListener('abort', () => resolve())
    })
  const { log, lines } = capturedLog('info')
  const audit = startAudit({
    api,
    instance: 'webhook-1',
    log,
    counted: (one) => counts.push(one),
    clock: { now: () => Date.UTC(2026, 0, 2, 3, 4, 5), wait },
    random: () => 0.5,
    ...more,
  })
  t.teardown(() => audit.close())
  const look = async (): Promise<void> => {
    const before = pauses.length
    passed?.()
    while (pauses.length === before) await new Promise((resolve) => setImmediate(resolve))
  }
  return { audit, counts, pauses, lines, look }
}

void t.test('audit: pods without a sidecar are counted at every audit and reported once', async (t) => {
  const pods = [
    pod(),
    pod({ status: 'injected' }, { name: 'web-2', uid: '2' }),
    pod({}, { name: 'web-3', uid: '3', labels: {} }),
    pod({}, { name: 'web-4', uid: '4', namespace: 'other' }),
    pod({}, { name: 'web-5', uid: '5', namespace: 'other' }),
  ]
  const api = cluster(pods)
  const { counts, pauses, lines, look } = started(t, api)
  await look()
  t.strictSame(counts, [{ 'no-namespace-label': 2, 'no-label': 1, 'mirror-pod': 0, missed: 1 }])
  t.strictSame(
    [...api.events.keys()].sort(),
    ['3', '4', '5', 'uid-of-web-1'].map((uid) => `akv-injector-missed-${uid}`),
  )
  t.match(api.events.get('akv-injector-missed-uid-of-web-1'), {
    metadata: { namespace: 'shop' },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'web-1', namespace: 'shop', uid: 'uid-of-web-1' },
    type: 'Warning',
    reason: 'InjectionMissed',
    message:
      /^the pod requests Key Vault objects but has no sidecar: it was created before .*recreate the pod \(docs: troubleshooting\.md#event-injection-missed\)$/,
    firstTimestamp: '2026-01-02T03:04:05Z',
    reportingInstance: 'webhook-1',
  })
  t.equal(lines.length, 4, 'a line for each')
  t.strictSame(pauses, [30_000, 600_000], 'the first look after half a minute, the next after ten')
  const pages = api.calls.filter((path) => path.startsWith('/api/v1/pods'))
  t.equal(pages.length, 3, 'page by page')
  t.ok(pages.every((path) => path.includes('status.phase!%3DSucceeded') && path.includes('limit=100')))

  api.events.clear()
  pods.splice(2, 1)
  await look()
  t.match(counts[1], { 'no-label': 0, missed: 1 })
  t.equal(api.events.size, 0, 'no pod is reported again')
})

void t.test('audit: two replicas write one Event for a pod', async (t) => {
  const api = cluster([pod()])
  const [one, other] = [started(t, api), started(t, api, { instance: 'webhook-2' })]
  await Promise.all([one.look(), other.look()])
  t.equal(api.events.size, 1)
  t.equal(one.lines.length + other.lines.length, 1, 'and one line')
  t.strictSame(one.counts, other.counts)
})

void t.test('audit: at most 100 Events per audit; the others follow', async (t) => {
  const teams = ['a', 'b', 'c'].map((name) => namespace({ [injectionLabel]: 'enabled' }, name))
  const pods = teams.flatMap(({ name = '' }) => podsOf(name, 50))
  const api = cluster(pods, teams)
  const { counts, look } = started(t, api)
  await look()
  t.match(counts, [{ missed: 150 }])
  t.equal(api.events.size, 100)
  await look()
  t.equal(api.events.size, 150)
})

void t.test(
  'audit: a namespace with any number of missed pods gets 50 Events and takes none from others',
  async (t) => {
    const crowd = podsOf('other', 1000)
    const late = podsOf('shop', 3)
    const api = cluster([...crowd, ...late])
    api.pageSize = 100
    const limits: string[] = []
    const { counts, look } = started(t, api, { onLimited: (limit) => limits.push(limit) })
    const eventsOf = (name: string) => [...api.events.keys()].filter((event) => event.includes(`-${name}-`)).length
    await look()
    t.strictSame([eventsOf('other'), eventsOf('shop')], [50, 3])
    t.match(counts, [{ 'no-namespace-label': 1000, missed: 3 }], 'all are counted')
    t.strictSame([limits.length, new Set(limits)], [950, new Set(['audit'])])
    await look()
    t.equal(eventsOf('other'), 50, 'no more at the next look')
    api.lists.set('/api/v1/pods', [...crowd.slice(20), ...late])
    await look()
    await look()
    t.equal(eventsOf('other'), 70, 'others follow when some are gone')
  },
)

void t.test('audit: at most 10,000 pods of a cluster are named', async (t) => {
  const teams = Array.from({ length: 250 }, (_, index) => namespace({}, `team-${index}`))
  const api = cluster(
    teams.flatMap(({ name = '' }) => podsOf(name, 50)),
    teams,
  )
  api.pageSize = 500
  const { counts, look } = started(t, api)
  for (let looks = 0; looks < 110; looks++) await look()
  t.match(counts.at(-1), { 'no-namespace-label': 12_500 })
  t.equal(api.events.size, 10_000)
})

void t.test('audit: it continues after failures', async (t) => {
  const api = cluster([pod()])
  const { audit, counts, pauses, lines, look } = started(t, api)
  api.failure = new ApiError(410, 'too old')
  await look()
  t.strictSame([counts, api.events.size, pauses.at(-1)], [[], 0, 60_000])
  api.failure = undefined
  api.refusal = new Error('connection refused')
  await look()
  t.match(counts, [{ missed: 1 }], 'counted all the same')
  api.refusal = undefined
  await look()
  t.equal(api.events.size, 1, 'reported as soon as it can be')
  t.equal(lines.filter((line) => line.includes('the audit for pods without a sidecar failed')).length, 2)
  const calls = api.calls.length
  await audit.close()
  t.equal(api.calls.length, calls, 'its end brings no other look')
})

void t.test('audit: a namespace that rejects Events is not retried', async (t) => {
  const api = cluster([pod()])
  const { lines, look } = started(t, api)
  api.refusal = new ApiError(403, 'the namespace is being terminated')
  await look()
  api.refusal = undefined
  await look()
  t.equal(api.events.size, 0)
  t.match(lines, [/no Event could be created for it/])
})

void t.test('audit: in namespaces that only report, no pod is missed', async (t) => {
  const api = cluster([pod()])
  const { counts, look } = started(t, api, { paused: () => true })
  await look()
  t.match(counts, [{ missed: 0 }])
  t.equal(api.events.size, 0)
  t.strictSame(api.calls, [])
})
