import t from 'tap'
import { decide } from '../../support/decide.ts'
import type { Limits } from '../../../shared/kubernetes/limit-range.ts'
import { annotated } from '../review-app.ts'
import { planInputs } from '../default-configuration.ts'
import { app, injected, sidecarOf } from '../review/injected.ts'

void t.test('resources: the sidecar stays within the resources of the pod', async (t) => {
  const resourcesOf = (podResources: object, containers: object) =>
    sidecarOf(injected(annotated({}, { resources: podResources, ...app({ resources: containers }) }))).resources
  t.strictSame(
    resourcesOf({ requests: { cpu: '1', memory: '256Mi' } }, { requests: { cpu: '995m', memory: '216Mi' } }),
    { requests: { cpu: '5m', memory: '40Mi' }, limits: { cpu: '250m', memory: '128Mi' } },
    'what is left is less than what it asks for',
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
