import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ofKind } from './manifest-fields.ts'
import { manifests, render, renderer, written, type Manifest } from './rendered.ts'
import { leaveOut } from '../support/needs.ts'

const component = written(join(manifests, 'components/coordinator'))

interface Deployment {
  replicas: number
  strategy: { type: string }
  template: {
    metadata: { labels: Record<string, string> }
    spec: {
      securityContext: object
      containers: {
        image: string
        securityContext: object
        resources: { limits: { memory?: string } }
        ports: { name: string }[]
        volumeMounts: { name: string; mountPath: string }[]
      }[]
      volumes: { name: string; secret?: { secretName: string; optional?: boolean; items?: { key: string }[] } }[]
    }
  }
}
const specOf = (all: readonly Manifest[], name: string): Deployment =>
  ofKind([...all], 'Deployment').find(({ metadata }) => metadata.name === name)?.['spec'] as Deployment

void t.test(
  'coordinator manifests: one replica, never two, and nothing that keeps a node from being drained',
  async (t) => {
    const { replicas, strategy } = specOf(component, 'akv-injector-coordinator')
    t.strictSame([replicas, strategy], [1, { type: 'Recreate' }])
    t.strictSame(ofKind(component, 'PodDisruptionBudget'), [])
  },
)

void t.test(
  'coordinator manifests: it may write Events and keep its Lease, and satisfies Pod Security restricted',
  async (t) => {
    const rights = ['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding']
    const kinds = [...rights, 'Deployment', 'NetworkPolicy', 'Service', 'ServiceAccount'].sort()
    t.strictSame(component.map(({ kind }) => kind).sort(), kinds)
    t.strictSame(ofKind(component, 'ClusterRole')[0]?.['rules'], [
      { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
    ])
    const leases = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] }
    t.strictSame(ofKind(component, 'Role')[0]?.['rules'], [
      { ...leases, verbs: ['create'] },
      { ...leases, resourceNames: ['akv-injector-coordinator'], verbs: ['get', 'update'] },
    ])
    const { template } = specOf(component, 'akv-injector-coordinator')
    const [container] = template.spec.containers
    t.match(template.spec.securityContext, { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    t.match(container?.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    t.ok(container?.resources.limits.memory, 'the limit of sessions follows from it')
    t.equal(template.metadata.labels['azure.workload.identity/use'], 'true')
  },
)

void t.test('coordinator manifests: the Service and the NetworkPolicy select its pods and its port', async (t) => {
  const { template } = specOf(component, 'akv-injector-coordinator')
  const service = ofKind(component, 'Service')[0]?.['spec'] as { selector: object; ports: { targetPort: string }[] }
  const policy = ofKind(component, 'NetworkPolicy')[0]?.['spec'] as {
    podSelector: { matchLabels: object }
    ingress: { ports: { port: string }[] }[]
  }
  t.match(template.metadata.labels, service.selector)
  t.match(template.metadata.labels, policy.podSelector.matchLabels)
  const names = template.spec.containers[0]?.ports.map(({ name }) => name)
  t.ok(names?.includes(service.ports[0]?.targetPort ?? ''))
  t.ok(names?.includes(policy.ingress[0]?.ports[0]?.port ?? ''))
})

void t.test(
  'coordinator manifests: beside the injector, the webhook gets the authority and never the key',
  async (t) => {
    if (renderer === undefined) return leaveOut(t, 'kubectl or kustomize: not on this machine')
    const folder = join(manifests, '../dist/manifests-coordinator')
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, 'kustomization.yaml'),
      `namespace: platform
resources: [../../manifests/overlays/self-managed]
components: [../../manifests/components/coordinator]
`,
    )
    const all = render(folder)
    t.strictSame([...new Set(all.flatMap(({ metadata }) => metadata.namespace ?? []))], ['platform'])
    const bindings = ofKind(all, 'ClusterRoleBinding').filter(({ metadata }) => metadata.name.endsWith('coordinator'))
    t.match(bindings, [{ subjects: [{ name: 'akv-injector-coordinator', namespace: 'platform' }] }])
    for (const name of ['akv-injector', 'akv-injector-standby']) {
      const { spec } = specOf(all, name).template
      const volume = spec.volumes.find((one) => one.name === 'coordinator-authority')
      t.strictSame(volume?.secret, {
        secretName: 'akv-injector-coordinator-certificate',
        items: [{ key: 'ca.crt', path: 'ca.crt' }],
        optional: true,
      })
      t.ok(spec.containers[0]?.volumeMounts.some(({ mountPath }) => mountPath === '/etc/akv-injector-coordinator'))
    }
  },
)
