import t from 'tap'
import { inputsOf, readGoldenCase, type GoldenCase } from '../../support/golden-case.ts'
import { createPlan } from '../../../webhook/plan/plan.ts'
import { Diagnostics } from '../../../webhook/reasons.ts'

const given = readGoldenCase('turns')
const prefix = 'azure.keyvault.injector/'

/** Plans the pod with other annotations (undefined removes one), another probe, and other changes. */
function planOf(own: Record<string, string | undefined>, probe?: object | null, changes: Partial<GoldenCase> = {}) {
  const annotations = { ...given.pod.metadata?.annotations }
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined) delete annotations[prefix + name]
    else annotations[prefix + name] = value
  }
  const [container] = given.pod.spec.containers ?? []
  const containers = [probe === undefined ? container : { ...container, readinessProbe: probe ?? undefined }]
  const pod = {
    ...given.pod,
    metadata: { ...given.pod.metadata, annotations },
    spec: { ...given.pod.spec, containers },
  } as GoldenCase['pod']
  const one = { ...given, pod, ...changes }
  const diagnostics = new Diagnostics()
  const plan = createPlan(one.pod, inputsOf(one), undefined, diagnostics)
  return {
    turns: plan?.settings.coordinator?.turns,
    audience: plan?.tokens.find(({ path }) => path === 'coordinator')?.audience,
    problems: diagnostics.problems.map(({ text }) => text),
    warnings: diagnostics.warnings.map(({ text }) => text),
  }
}

void t.test('turns: the app is asked as the kubelet asks it', async (t) => {
  const times = { period: 10_000, timeout: 1_000 }
  const readiness = (probe: object | null, own = {}) => planOf(own, probe).turns?.readiness
  t.strictSame(planOf({}).turns, {
    ...{ maxUnavailable: { percent: 25 }, minReady: 5_000, timeout: 600_000 },
    readiness: {
      ...{ scheme: 'http', port: 8080, path: '/healthz', headers: [{ name: 'Host', value: 'app.example' }] },
      ...{ period: 2_000, timeout: 1_000 },
    },
  })
  t.strictSame(readiness({ httpGet: { port: 8443, scheme: 'HTTPS', host: '10.0.0.1' }, timeoutSeconds: 3 }), {
    ...{ scheme: 'https', port: 8443, path: '/', host: '10.0.0.1', headers: [] },
    ...{ period: 10_000, timeout: 3_000 },
  })
  t.strictSame(readiness({ httpGet: { port: '8080', path: 'healthz' } }), {
    ...{ scheme: 'http', port: 8080, path: '/healthz', headers: [], ...times },
  })
  t.strictSame(readiness({ tcpSocket: { port: 'http' } }), { tcp: 8080, ...times })
  t.equal(readiness(null), undefined, 'without a probe, a process that runs counts')
  const url = 'http://localhost:8080/ready'
  t.strictSame(readiness({ exec: { command: ['true'] } }, { 'ready-url': url }), { url }, 'the annotation is preferred')
  t.strictSame(
    planOf({ signal: undefined, 'notify-url': 'http://localhost:8080/-/reload' }).turns?.readiness,
    planOf({}).turns?.readiness,
  )
})

void t.test('turns: a probe that the sidecar cannot ask is said at admission', async (t) => {
  for (const probe of [{ exec: { command: ['true'] } }, { grpc: { port: 1 } }, { httpGet: { port: 'unknown' } }]) {
    const { turns, warnings } = planOf({}, probe)
    t.match(turns, { maxUnavailable: { percent: 25 } })
    t.equal(turns?.readiness, undefined)
    t.match(warnings.join('\n'), /^add the annotation ready-url: .*readinessProbe of "app"/m)
  }
})

void t.test('turns: a pod whose state cannot be found out is denied', async (t) => {
  const { problems } = planOf({ signal: undefined })
  t.match(problems, [/max-unavailable: add signal, notify-url or ready-url/])
  t.strictSame(planOf({ signal: undefined, 'ready-url': 'http://localhost:1/' }).problems, [])
})

void t.test('turns: values have bounds', async (t) => {
  for (const value of ['0', '0%', '101%', '-1', '1.5', 'one', '', '9'.repeat(7)])
    t.match(planOf({ 'max-unavailable': value }).problems, [/max-unavailable ".*": expected a number from 1 on/], value)
  t.match(planOf({ 'min-ready': '500ms' }).problems, [/min-ready/])
  t.match(planOf({ 'turn-timeout': '48h' }).problems, [/turn-timeout/])
  t.match(planOf({ 'ready-url': 'http://example.com/' }).problems, [/ready-url/])
  t.match(planOf({ 'turn-group': 'a/b' }).problems, [/turn-group/])
  t.strictSame(planOf({ 'max-unavailable': '100%' }).turns?.maxUnavailable, { percent: 100 })
  t.strictSame(planOf({ 'max-unavailable': '3' }).turns?.maxUnavailable, { count: 3 })
})

void t.test('turns: a group of its own is in the audience of the token', async (t) => {
  t.equal(planOf({}).audience, 'akv-injector-coordinator/replicaset/web')
  t.equal(planOf({ 'turn-group': 'blue' }).audience, 'akv-injector-coordinator/group/blue')
})

void t.test('turns: what has no effect is said', async (t) => {
  const alone = { 'max-unavailable': undefined, 'ready-url': 'http://localhost:1/', 'turn-group': 'blue' }
  t.match(planOf(alone).warnings.join('\n'), /remove ready-url.*remove turn-group/s)
  t.equal(planOf(alone).turns, undefined)
  const without = planOf({}, undefined, { configuration: {} })
  t.match(without.warnings, [/remove max-unavailable, or ask the administrator for a coordinator/])
  t.strictSame(without.problems, [])
  t.match(planOf({ mode: 'once' }).warnings.join('\n'), /remove max-unavailable/)
})
