import type { Test } from 'tap'
import { systemLabel } from '../../shared/names.ts'
import { isIn, ofKind, type Labels, type Selector } from './manifest-fields.ts'
import type { Manifest } from './rendered.ts'

/** The webhook still takes reviews for this long after SIGTERM. */
const drainSeconds = 15

/** Checks that a replica is always available, that probes reflect readiness, and that the namespace is restricted. */
export function checkAvailability(t: Test, all: readonly Manifest[]): void {
  const deployments = ofKind(all, 'Deployment').filter(({ metadata }) =>
    metadata.name.startsWith('akv-injector'),
  ) as Deployment[]
  t.equal(deployments.length, 2)
  const selects = ({ matchLabels = {} }: Selector): boolean =>
    deployments.every(({ spec }) => isIn(matchLabels, spec.selector.matchLabels))
  for (const { metadata, spec } of deployments) {
    t.match(spec.strategy, { rollingUpdate: { maxUnavailable: 0 } }, `${metadata.name}: a new replica first`)
    // In the files of the base, kustomize has not yet copied the template to the standby.
    const pod = spec.template?.spec
    if (pod === undefined) continue
    t.match(pod, {
      priorityClassName: 'system-cluster-critical',
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      topologySpreadConstraints: [{ topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' }],
    })
    t.ok(selects(pod.topologySpreadConstraints[0].labelSelector), 'the pods of both Deployments are spread together')
    t.ok(
      pod.terminationGracePeriodSeconds >= drainSeconds + 10 + 5,
      'the grace period covers draining and the longest review, with a margin',
    )
    t.match(pod.containers[0], {
      readinessProbe: { httpGet: { scheme: 'HTTPS', path: '/readyz' } },
      livenessProbe: { httpGet: { scheme: 'HTTPS', path: '/livez' } },
      startupProbe: { httpGet: { scheme: 'HTTPS', path: '/livez' } },
      resources: { requests: { cpu: /^/, memory: /^/ }, limits: { memory: /^/ } },
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
    })
  }
  const [budget] = ofKind(all, 'PodDisruptionBudget') as (Manifest & { spec: { selector: Selector } })[]
  t.ok(budget && selects(budget.spec.selector), 'the budget covers both Deployments')
  const [network] = ofKind(all, 'NetworkPolicy') as (Manifest & { spec: { podSelector: Selector } })[]
  t.ok(network && selects(network.spec.podSelector), 'the NetworkPolicy covers both Deployments')
  t.match(network?.spec, {
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ ports: [{ port: 'https' }] }],
    egress: [{ ports: [{ port: 443 }, { port: 6443 }] }, { ports: [{ port: 53 }, { port: 53 }] }],
  })
  const home = ofKind(all, 'Namespace').find(({ metadata }) => metadata.name === deployments[0]?.metadata.namespace)
  t.match(
    home?.metadata.labels,
    { [systemLabel]: 'true', 'pod-security.kubernetes.io/enforce': 'restricted' },
    'the namespace is excluded from injection and restricted',
  )
  // A second apply must not remove what the webhook wrote there.
  for (const secret of ofKind(all, 'Secret')) t.notOk('data' in secret || 'stringData' in secret)
}

interface Deployment extends Manifest {
  spec: {
    selector: { matchLabels: Labels }
    strategy: object
    template?: {
      spec: {
        terminationGracePeriodSeconds: number
        topologySpreadConstraints: [{ labelSelector: Selector }]
        containers: [object]
      }
    }
  }
}
