import t from 'tap'
import { decide } from '../../support/decide.ts'
import type { Limits } from '../../../shared/kubernetes/limit-range.ts'
import { annotated } from '../review-app.ts'
import { planInputs } from '../default-configuration.ts'
import { app, injected, sidecarOf } from '../review/injected.ts'

void t.test('resources: the sidecar stays within the resources of the pod', async (t) => {
  const resourcesOf = (podResources: object, containers: object) =>
    sidecarOf(injected(annotated({}, { resources: podResources, ...app({ resources: containers }) }))).resources
  for (const field of ['requests', 'limits'])
    t.strictSame(
      resourcesOf({ requests: { cpu: '1', memory: '256Mi' } }, { [field]: { cpu: '995m', memory: '216Mi' } }),
      { requests: { cpu: '5m', memory: '40Mi' }, limits: { cpu: '250m', memory: '128Mi' } },
      `what the ${field} leave is less than what it requests`,
    )
  t.strictSame(
    resourcesOf({ limits: { cpu: '200m', memory: '1Gi' } }, {}),
    { requests: { cpu: '10m', memory: '48Mi' }, limits: { cpu: '200m', memory: '128Mi' } },
    'no limit above the pod’s',
  )
  const unlimited = annotated({}, app({ resources: { limits: { cpu: '0', memory: '1Gi' } } }))
  t.match(
    sidecarOf(injected(unlimited)).resources,
    { requests: { cpu: '10m' } },
    'a limit of nothing makes no pod Guaranteed',
  )
})

void t.test(
  'resources: what the containers leave of the pod depends on which of them run at the same time',
  async (t) => {
    const cpu = (request: string) => ({ image: 'a', resources: { requests: { cpu: request } } })
    const migrate = { name: 'migrate', ...cpu('1') }
    const istio = [
      { name: 'istio-init', ...cpu('1') },
      { name: 'istio-proxy', ...cpu('100m'), restartPolicy: 'Always' },
    ]
    const env = { env: 'TOKEN=db-password' }
    const cases: [what: string, whole: string, annotations: Record<string, string>, init: object[], left?: string][] = [
      ['an init container runs beside a native sidecar', '1', {}, [migrate]],
      ['of which some fits', '1005m', {}, [migrate], '5m'],
      ['and all', '1010m', {}, [migrate], '10m'],
      ['one that ends before the sidecar starts does not', '1', {}, istio, '10m'],
      ['nor does one beside a classic sidecar', '1', { mode: 'classic' }, [migrate], '10m'],
      ['an app runs beside a classic sidecar', '500m', { mode: 'classic' }, []],
      ['but not in mode once', '500m', { mode: 'once' }, [], '10m'],
      ['which starts alone', '500m', { mode: 'once', 'request-cpu': '600m' }, [], '500m'],
      ['with variables, it runs beside the app', '900m', { ...env, 'request-cpu': '700m' }, [], '400m'],
      ['and beside the container that checks them', '1200m', { ...env, 'request-cpu': '700m' }, [], '600m'],
      ['and beside proxies before both', '1200m', { ...env, 'request-cpu': '700m' }, istio.slice(1), '550m'],
    ]
    for (const [what, whole, annotations, init, left] of cases) {
      const pod = annotated(
        { 'limit-cpu': '1', ...annotations },
        { resources: { requests: { cpu: whole } }, initContainers: init, ...app(cpu('500m')) },
      )
      const decision = decide(pod, planInputs({ oldestKubelet: 'v1.37.0', apiServer: 'v1.37.0' }))
      const found =
        decision.kind === 'inject'
          ? [...(decision.pod.spec.initContainers ?? []), ...(decision.pod.spec.containers ?? [])]
              .filter(({ name }) => name.startsWith('akv-injector'))
              .map(({ resources }) => resources?.requests?.['cpu'])
          : [undefined]
      t.strictSame(new Set(found), new Set([left]), what)
    }
  },
)

void t.test('resources: pod-level requests that the API server filled in grow within the limits', async (t) => {
  const newest = { oldestKubelet: 'v1.37.0', apiServer: 'v1.37.0' }
  const decided = (annotations: Record<string, string>, whole: object, requests: object) =>
    decide(annotated(annotations, { resources: whole, ...app({ resources: { requests } }) }), planInputs(newest))
  const own = { cpu: '100m', memory: '64Mi' }
  const roomy = { cpu: '1', memory: '1Gi' }
  const cases: [
    what: string,
    annotations: Record<string, string>,
    whole: { requests: object; limits?: object },
    requests: object,
    sidecar: object,
    pod: object,
  ][] = [
    ['by all', {}, { requests: own, limits: roomy }, own, {}, { cpu: '110m', memory: '112Mi' }],
    [
      'up to a limit, or without one',
      {},
      { requests: own, limits: { cpu: '105m' } },
      own,
      { cpu: '5m' },
      { cpu: '105m', memory: '112Mi' },
    ],
    ['not if nothing runs beside the app', { mode: 'once' }, { requests: own, limits: roomy }, own, {}, own],
    [
      'for the container that checks variables',
      { env: 'TOKEN=db-password' },
      { requests: { cpu: '1m' }, limits: roomy },
      { cpu: '1m' },
      {},
      { cpu: '20m' },
    ],
    [
      'but not those that the author wrote',
      {},
      { requests: { cpu: '105m', memory: '1Gi' }, limits: roomy },
      own,
      { cpu: '5m' },
      { cpu: '105m', memory: '1Gi' },
    ],
  ]
  for (const [what, annotations, whole, requests, sidecar, pod] of cases) {
    const decision = decided(annotations, whole, requests)
    if (decision.kind !== 'inject') throw new Error(JSON.stringify(decision))
    const { resources, initContainers } = decision.pod.spec
    t.strictSame(initContainers?.[0]?.resources?.requests, { cpu: '10m', memory: '48Mi', ...sidecar }, what)
    t.strictSame(resources, { ...whole, requests: pod }, what)
    t.match(decide(decision.pod, planInputs(newest)), { kind: 'skip', reason: 'already-injected' }, what)
  }
  for (const requests of [own, undefined])
    t.match(decided({}, { requests, limits: { ...roomy, cpu: '100m' } }, own), {
      kind: 'deny',
      problems: [
        {
          reason: 'resources',
          text: "the pod's resources.limits.cpu of 100m leave nothing for the sidecar, which requests 10m: raise them by that amount",
        },
      ],
    })
})

void t.test('resources: a LimitRange for pods is applied as the API server does', async (t) => {
  const cpu = (limit: string, more: object = {}) => ({ image: 'a', resources: { limits: { cpu: limit } }, ...more })
  const decided = (most: string, annotations: Record<string, string>, spec: object): string => {
    const limitRanges: Limits[] = [{ name: 'whole', type: 'Pod', max: { cpu: most } }]
    return decide(annotated(annotations, spec), planInputs({ limitRanges })).kind
  }
  const apps = {
    containers: [
      { name: 'a', ...cpu('300m') },
      { name: 'b', ...cpu('200m') },
    ],
  }
  const native = { initContainers: [{ name: 'proxy', ...cpu('100m', { restartPolicy: 'Always' }) }] }
  const migration = { initContainers: [{ name: 'migrate', ...cpu('600m') }] }
  const cases: [what: string, annotations: Record<string, string>, spec: object, total: string, less: string][] = [
    ['what runs side by side is added up', {}, apps, '750m', '749m'],
    ['native sidecars as well', {}, { ...apps, ...native }, '850m', '849m'],
    ['an init container runs beside native sidecars only', {}, { ...apps, ...migration }, '850m', '849m'],
    [
      'a classic sidecar starts after the init containers',
      { mode: 'classic' },
      { ...apps, ...migration },
      '750m',
      '749m',
    ],
    ['one that only starts adds nothing', { mode: 'once' }, apps, '500m', '499m'],
    ['what the pod says as a whole wins', {}, { ...apps, resources: { limits: { cpu: '600m' } } }, '600m', '599m'],
  ]
  for (const [what, annotations, spec, total, less] of cases) {
    t.equal(decided(total, annotations, spec), 'inject', `${what}: ${total}`)
    t.equal(decided(less, annotations, spec), 'deny', `${what}: more than ${less}`)
  }
})
