import t from 'tap'
import { decide } from '../../support/decide.ts'
import type { Decision } from '../../../webhook/review/decision.ts'
import { templateOf } from '../../../webhook/review/workloads.ts'
import { readPod, type Pod } from '../../../webhook/pod/pod.ts'
import type { PlanInputs } from '../../../webhook/plan/inputs.ts'
import { decideByLookups } from '../../../webhook/review/lookups.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { annotated, cluster, reviewOf, appFor } from '../review-app.ts'
import { configurationOf, planInputs } from '../default-configuration.ts'

const request = (kind: string, spec: object, group = 'apps') => ({
  uid: '1',
  kind: { group, version: 'v1', kind },
  operation: 'CREATE',
  userInfo: { username: 'system:admin' },
  object: { spec },
})
const textsOf = (decision: Decision): string[] =>
  decision.kind === 'deny' ? decision.problems.map(({ text }) => text) : []
const problemsOf = (pod: unknown): string[] => textsOf(decide(pod, planInputs()))

/** The problems that the pods of a template would have, by what is looked up; `live` is what only a live read shows of the ServiceAccount. */
async function problemsOfTemplate(
  template: unknown,
  { limitRanges = [], live = {} }: { limitRanges?: PlanInputs['limitRanges']; live?: object } = {},
): Promise<string[]> {
  const { image, version, serviceAccount = { annotations: {} } } = planInputs()
  const inputs = { pod: readPod(template), namespace: 'shop', configuration: configurationOf(), isTemplate: true }
  const looked = cluster({
    limitRanges: async () => ({ value: limitRanges, cached: false }),
    serviceAccount: async (_namespace, _name, options) => ({
      value: { ...serviceAccount, ...(options?.live ? live : {}) },
      cached: !options?.live,
    }),
  })
  const { log } = capturedLog()
  const context = { cluster: looked, configuration: () => inputs.configuration, image, version, log }
  return textsOf(await decideByLookups(inputs, context, undefined))
}

const tokenText =
  'container "app" has the ServiceAccount token at "/var/run/secrets/kubernetes.io/serviceaccount", inside "/var/run/secrets", which is read-only: choose another mount-path'

void t.test('workloads: the mount of the ServiceAccount token is anticipated', async (t) => {
  const template = annotated({ 'mount-path': '/var/run/secrets' })
  t.strictSame(problemsOf(template), [], 'the template itself says nothing of it')
  for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job']) {
    t.strictSame(await problemsOfTemplate(templateOf(request(kind, { template }))), [tokenText], kind)
  }
  for (const found of [
    templateOf(request('Rollout', { template }, 'argoproj.io')),
    templateOf(request('Service', { template }, 'serving.knative.dev')),
    templateOf(request('CronJob', { jobTemplate: { spec: { template } } }, 'batch')),
  ])
    t.strictSame(await problemsOfTemplate(found), [tokenText])
  const beside = annotated({ 'mount-path': '/run/secrets/app' })
  t.strictSame(await problemsOfTemplate(beside), [])
  const init = annotated(
    { 'mount-path': '/var/run/secrets', containers: 'first' },
    { initContainers: [{ name: 'first' }] },
  )
  t.match(await problemsOfTemplate(init), [/^container "first" has the ServiceAccount token/])
  const mounted = annotated(
    { 'mount-path': '/run/secrets' },
    {
      containers: [
        { name: 'app', volumeMounts: [{ name: 'own', mountPath: '/run/secrets/kubernetes.io/serviceaccount' }] },
      ],
      volumes: [{ name: 'own', projected: {} }],
    },
  )
  t.match(
    await problemsOfTemplate(mounted),
    [/^container "app" has volume "own" at/],
    'a mount of its own takes its place',
  )
})

void t.test('workloads: the pod decides whether the token is mounted, then its ServiceAccount', async (t) => {
  const of = (automountServiceAccountToken?: boolean | null) =>
    annotated({ 'mount-path': '/var/run/secrets' }, { automountServiceAccountToken })
  for (const [onPod, onAccount, isMounted] of [
    [undefined, undefined, true],
    [undefined, false, false],
    [undefined, true, true],
    [null, false, false],
    [false, true, false],
    [true, false, true],
  ] as const) {
    const live = onAccount === undefined ? {} : { automount: onAccount }
    t.strictSame(await problemsOfTemplate(of(onPod), { live }), isMounted ? [tokenText] : [], `${onPod} ${onAccount}`)
  }
})

const resources = (limits?: object, requests?: object) => ({
  containers: [{ name: 'app', resources: { ...(limits && { limits }), ...(requests && { requests }) } }],
})

void t.test("workloads: the defaults of the namespace's LimitRanges are anticipated", async (t) => {
  const container = (rest: object) => ({ name: 'defaults', type: 'Container' as const, ...rest })
  const whole = (rest: object) => ({ name: 'whole', type: 'Pod' as const, ...rest })
  const cases: [name: string, spec: object, limitRanges: PlanInputs['limitRanges'], expected: RegExp[]][] = [
    [
      'a default limit makes the pod too large',
      resources(),
      [container({ default: { memory: '1Gi' } }), whole({ max: { memory: '1Gi' } })],
      [/^LimitRange "whole" allows a pod 1Gi of memory at most, and with the sidecar its limits come to /],
    ],
    [
      'a default limit makes the pod large enough',
      resources(),
      [container({ default: { memory: '1Gi' } }), whole({ min: { memory: '1Gi' } })],
      [],
    ],
    [
      'a limit of its own stays',
      resources({ memory: '128Mi' }),
      [container({ default: { memory: '1Gi' } }), whole({ max: { memory: '1Gi' } })],
      [],
    ],
    [
      'the first of several defaults applies',
      resources(),
      [
        container({ default: { memory: '128Mi' } }),
        container({ default: { memory: '2Gi' } }),
        whole({ max: { memory: '1Gi' } }),
      ],
      [],
    ],
    [
      'a request that is missing is the limit',
      resources({ memory: '512Mi' }),
      [whole({ maxLimitRequestRatio: { memory: '1.5' } })],
      [],
    ],
    [
      'a default request is less than the limit allows',
      resources(undefined, { memory: '64Mi' }),
      [
        container({ default: { memory: '1Gi' }, defaultRequest: { memory: '512Mi' } }),
        whole({ maxLimitRequestRatio: { memory: '4' } }),
      ],
      [/^LimitRange "whole" allows a pod limits of memory of at most 4 times its requests/],
    ],
    ["pods' defaults are none", resources(), [whole({ default: { memory: '1Gi' }, max: { memory: '1Gi' } })], []],
  ]
  for (const [name, spec, limitRanges, expected] of cases) {
    const found = await problemsOfTemplate(annotated({}, spec), { limitRanges })
    t.equal(found.length, expected.length, `${name}: ${found.join()}`)
    t.match(found, expected, name)
  }
})

void t.test('workloads: pod-level requests that the API server fills in change no decision', async (t) => {
  const requests = { cpu: '100m', memory: '64Mi' }
  for (const [cpu, count] of [
    ['1', 0],
    ['100m', 1],
  ] as const) {
    const template = annotated(
      {},
      { resources: { limits: { cpu, memory: '1Gi' } }, containers: [{ name: 'app', resources: { requests } }] },
    )
    const admitted = structuredClone(template) as unknown as Pod
    Object.assign(admitted.spec.resources!, { requests })
    const found = await problemsOfTemplate(template)
    t.equal(found.length, count)
    t.strictSame(problemsOf(admitted), found)
  }
})

void t.test('workloads: a review reads what the template itself does not show', async (t) => {
  const asked: (boolean | undefined)[] = []
  const { serviceAccount } = planInputs()
  const { server } = appFor(t, {
    cluster: cluster({
      serviceAccount: async (_namespace, _name, options) => {
        asked.push(options?.live)
        return {
          value: { annotations: {}, ...serviceAccount, ...(options?.live && { automount: false }) },
          cached: !options?.live,
        }
      },
    }),
  })
  const review = async (template: object) => {
    const object = { metadata: { name: 'web' }, spec: { template } }
    const kind = { group: 'apps', version: 'v1', kind: 'Deployment' }
    const payload = reviewOf(object, { kind, resource: { group: 'apps', version: 'v1', resource: 'deployments' } })
    const { body } = await server.inject({ method: 'POST', url: '/validate', payload })
    return (JSON.parse(body) as { response: { warnings?: string[] } }).response.warnings ?? []
  }
  t.strictSame(await review(annotated({ 'mount-path': '/var/run/secrets/kubernetes.io' })), [])
  t.strictSame(asked, [undefined, true], 'the ServiceAccount is read live only because of the mount')
  t.match(
    await review(annotated({ 'mount-path': '/var/run/secrets/kubernetes.io' }, { automountServiceAccountToken: true })),
    [/^pods of Deployment web would be rejected: container "app" has the ServiceAccount token/],
  )
})

void t.test('workloads: an object that is not a workload has no pod template', async (t) => {
  const template = annotated()
  t.equal(templateOf(request('Service', { template }, '')), undefined)
  t.equal(templateOf(request('constructor', { template })), undefined)
  t.equal(templateOf(request('Rollout', { workloadRef: {} }, 'argoproj.io')), undefined)
  for (const odd of [
    null,
    1,
    [],
    {},
    { spec: null },
    { spec: { containers: 1, volumes: 2 } },
    { spec: { containers: [null, { volumeMounts: 1 }] } },
  ]) {
    await t.resolves(problemsOfTemplate(templateOf(request('Deployment', { template: odd }))))
  }
})

void t.test('workloads: pods of one workload get the same texts, whatever the name of the token volume', async (t) => {
  const texts = ['x7k2p', 'abcde', '12345'].map((name) =>
    problemsOf(
      annotated(
        { 'mount-path': '/var/run/secrets' },
        {
          containers: [
            {
              name: 'app',
              volumeMounts: [
                { name: `kube-api-access-${name}`, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
              ],
            },
          ],
        },
      ),
    ),
  )
  t.equal(new Set(texts.map(String)).size, 1)
})
