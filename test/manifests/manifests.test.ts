import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { parseConfiguration } from '../../webhook/configuration/configuration.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { leaveOut } from '../support/needs.ts'
import { checkInvariants } from './invariants.ts'
import { ofKind } from './manifest-fields.ts'
import { checkGrantedPermissions } from './permission-invariants.ts'
import { manifests, render, renderer, written, type Manifest } from './rendered.ts'

const system = 'akv-injector-system'
const overlays = [
  { folder: 'base', namespace: system },
  ...globSync('overlays/*/', { cwd: manifests })
    .sort()
    .map((folder) => ({ folder, namespace: system })),
  { folder: 'examples/own', namespace: 'platform-secrets' },
]
const rendered = (folder: string): Manifest[] => render(join(manifests, folder))

interface Container {
  image: string
  env: { name: string; value?: string }[]
  volumeMounts: { name: string; mountPath: string }[]
}
interface Workload extends Manifest {
  spec: {
    replicas: number
    template: {
      metadata: { labels: Record<string, string> }
      spec: { containers: [Container]; volumes: { name: string }[] }
    }
  }
}
const webhookOf = (all: Manifest[], name = 'akv-injector'): Workload =>
  ofKind(all, 'Deployment').find(({ metadata }) => metadata.name === name) as Workload
const environmentOf = (all: Manifest[]): Record<string, string | undefined> =>
  Object.fromEntries(webhookOf(all).spec.template.spec.containers[0].env.map(({ name, value }) => [name, value]))
const rulesOf = (all: Manifest[], kind: string, name: string): unknown =>
  ofKind(all, kind).find(({ metadata }) => metadata.name === name)?.['rules']

void t.test('manifests: invariants hold for the files of the base', async (t) => {
  t.same(
    overlays.map(({ folder }) => basename(folder)),
    ['base', 'cert-manager', 'emulator', 'self-managed', 'own'],
  )
  checkInvariants(t, written(join(manifests, 'base')), { namespace: system })
  checkGrantedPermissions(t, written(join(manifests, 'base')))
  const services = ofKind(written(join(manifests, 'base')), 'Service').map(({ metadata }) => metadata.name)
  t.equal(
    environmentOf(written(join(manifests, 'base')))['SERVICE_NAMES'],
    services.join(','),
    'the certificate is for both',
  )
  t.equal(
    webhookOf(written(join(manifests, 'base'))).spec.template.spec.containers[0].image,
    `akv-injector:${packageJson.version}`,
  )
})

void t.test('manifests: a node drain leaves one ready replica and does not wait for unready ones', async (t) => {
  const budgets = ofKind(written(join(manifests, 'base')), 'PodDisruptionBudget')
  t.match(budgets, [{ spec: { minAvailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' } }])
})

void t.test('manifests: the webhook accepts every configuration file', async (t) => {
  const files = globSync('**/configuration.yaml', { cwd: manifests })
  t.ok(files.length >= 3)
  for (const file of files) {
    // The emulator makes its certificate when it runs.
    const text = readFileSync(join(manifests, file), 'utf8').replace(/^ *caCertificatesFile:.*\n/m, '')
    const parsed = parseConfiguration(text)
    t.ok(parsed.ok, `${file}: ${parsed.ok ? '' : parsed.problems.join('; ')}`)
  }
})

// Rendering takes kubectl. Without it, the test above still checks the files of the base.
if (renderer === undefined) leaveOut(t, 'rendering: neither kubectl nor kustomize is on this machine')
else {
  for (const { folder, namespace } of overlays)
    void t.test(`manifests: invariants hold for ${folder}, rendered`, async (t) => {
      const all = rendered(folder)
      checkInvariants(t, all, { namespace })
      const halves = [webhookOf(all), webhookOf(all, 'akv-injector-standby')].map(({ spec }) => spec.template)
      const labels = (component: string) => ({
        'app.kubernetes.io/name': 'akv-injector',
        'app.kubernetes.io/component': component,
      })
      t.strictSame(
        halves.map(({ metadata }) => metadata.labels),
        [labels('webhook'), labels('standby')],
      )
      t.strictSame(halves[1]?.spec, halves[0]?.spec, 'the standby runs what the webhook runs')
    })

  void t.test('manifests: the overlay self-managed is the base', async (t) => {
    t.strictSame(rendered('overlays/self-managed'), rendered('base'))
  })

  void t.test('manifests: with cert-manager the webhook may write neither certificate nor caBundle', async (t) => {
    const all = rendered('overlays/cert-manager')
    t.strictSame(ofKind(all, 'Secret'), [], 'no Secret of its own')
    t.strictSame(rulesOf(all, 'Role', 'akv-injector-certificates'), undefined)
    t.match(rulesOf(all, 'ClusterRole', 'akv-injector-certificates'), [{ verbs: ['get', 'watch'] }])
    t.notMatch(JSON.stringify(ofKind(all, 'Role', 'ClusterRole')), /secrets"|"update"/)
    const { CERTIFICATES, CERTIFICATES_FOLDER } = environmentOf(all)
    t.equal(CERTIFICATES, undefined)
    const { containers, volumes } = webhookOf(all).spec.template.spec
    const mount = containers[0].volumeMounts.find(({ mountPath }) => mountPath === CERTIFICATES_FOLDER)
    const [certificate] = ofKind(all, 'Certificate').filter(({ metadata }) => metadata.name === 'akv-injector')
    t.match(
      volumes.find(({ name }) => name === mount?.name),
      { secret: { secretName: (certificate?.['spec'] as { secretName: string }).secretName } },
    )
    t.match(certificate, {
      spec: {
        dnsNames: [
          'akv-injector.akv-injector-system.svc',
          'akv-injector.akv-injector-system.svc.cluster.local',
          'akv-injector-standby.akv-injector-system.svc',
          'akv-injector-standby.akv-injector-system.svc.cluster.local',
        ],
      },
    })
    for (const { metadata } of ofKind(all, 'MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'))
      t.strictSame(metadata.annotations, { 'cert-manager.io/inject-ca-from': 'akv-injector-system/akv-injector' })
    t.match(environmentOf(all), {
      MUTATING_CONFIGURATION: 'akv-injector,zz-akv-injector-env',
      VALIDATING_CONFIGURATION: 'akv-injector',
    })
  })

  void t.test(
    "manifests: an administrator's own overlay changes image, replicas, configuration and namespace",
    async (t) => {
      const all = rendered('examples/own')
      const { spec } = webhookOf(all)
      t.equal(spec.replicas, 3)
      t.equal(spec.template.spec.containers[0].image, 'registry.example.com/platform/akv-injector:0.1.0')
      t.match(ofKind(all, 'ConfigMap'), [
        { metadata: { name: 'akv-injector-configuration' }, data: { 'configuration.yaml': /team-a-kv/ } },
      ])
      t.notMatch(JSON.stringify(all), /akv-injector-system/, 'nothing stays behind in the namespace of the base')
      t.match(ofKind(all, 'Namespace'), [{ metadata: { name: 'platform-secrets' } }])
    },
  )
}
