import t from 'tap'
import { parseAllDocuments, stringify } from 'yaml'
import { injectDocuments } from '../../cli/inject.ts'
import { migrateDocuments } from '../../cli/migrate.ts'
import { scanDocuments } from '../../cli/scan.ts'
import { syncRole } from '../../cli/sync-role.ts'
import { createLogger } from '../../shared/log.ts'
import { clientId, configurationOf, planInputs } from '../webhook/default-configuration.ts'

const { image, version } = planInputs()
const options = { clientId, configuration: configurationOf(), image, version, log: createLogger('error') }

type Fields = Record<string, unknown>
type Path = (string | number)[]

const metadata = { name: 'web', namespace: 'shop' }
const container = {
  name: 'app',
  image: 'app:1',
  args: ['serve'],
  env: [
    { name: 'LEVEL', value: 'info' },
    { name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'web', key: 'password' } } },
  ],
  envFrom: [{ secretRef: { name: 'other' } }],
  ports: [{ name: 'http', containerPort: 80 }],
  resources: { requests: { cpu: '10m' }, limits: { cpu: '1' } },
  volumeMounts: [{ name: 'files', mountPath: '/mnt/files', readOnly: true }],
  securityContext: { runAsUser: 1000, capabilities: { drop: ['ALL'] } },
  lifecycle: { preStop: { exec: { command: ['sleep', '5'] } } },
  readinessProbe: { httpGet: { port: 80, httpHeaders: [{ name: 'Host', value: 'web' }] } },
}
const deployment = (annotations: object, volume: object) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { ...metadata, labels: { app: 'web' } },
  spec: {
    template: {
      metadata: { labels: { 'azure.workload.identity/use': 'true' }, annotations },
      spec: {
        serviceAccountName: 'web',
        nodeSelector: { 'kubernetes.io/os': 'linux' },
        affinity: { nodeAffinity: {} },
        tolerations: [{ key: 'spot' }],
        imagePullSecrets: [{ name: 'registry' }],
        securityContext: { fsGroup: 1000 },
        initContainers: [{ name: 'migrate', image: 'app:1', env: [{ name: 'LEVEL', value: 'info' }] }],
        containers: [container],
        volumes: [volume],
      },
    },
  },
})
const injectable = deployment(
  { 'azure.keyvault.injector/vault': 'my-kv', 'azure.keyvault.injector/objects': 'db-password' },
  { name: 'files', emptyDir: {} },
)
const csi = {
  driver: 'secrets-store.csi.k8s.io',
  readOnly: true,
  volumeAttributes: { secretProviderClass: 'web' },
}
const migratable = deployment({ team: 'shop' }, { name: 'files', csi })
const others = [
  {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { ...metadata, annotations: { 'azure.workload.identity/client-id': clientId } },
  },
  {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata,
    spec: { limits: [{ type: 'Container', min: { cpu: '1m' }, default: { cpu: '1' } }] },
  },
  {
    apiVersion: 'secrets-store.csi.x-k8s.io/v1',
    kind: 'SecretProviderClass',
    metadata: { ...metadata, labels: { app: 'web' }, annotations: { 'azure.keyvault.injector/sync-as': 'web-sync' } },
    spec: {
      provider: 'azure',
      parameters: {
        keyvaultName: 'my-kv',
        tenantID: clientId,
        clientID: clientId,
        objects: 'array:\n  - |\n    objectName: db-password\n    objectType: secret\n',
      },
      secretObjects: [
        { secretName: 'web', type: 'Opaque', labels: {}, data: [{ key: 'password', objectName: 'db-password' }] },
      ],
    },
  },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { password: 'hunter2' } },
]
const inputs = { inject: [injectable, ...others], migrate: [migratable, ...others] }
type Input = keyof typeof inputs

/** Runs every command that reads manifests. */
async function run(objects: readonly unknown[]): Promise<Fields> {
  const text = objects.map((one) => stringify(one)).join('---\n')
  const flags = { ...options, namespace: 'shop' }
  return {
    inject: await injectDocuments(text, flags),
    migrate: await migrateDocuments(text, flags),
    scan: await scanDocuments(text, 'shop'),
    role: syncRole(text, { name: 'web', namespace: 'shop', programNamespace: 'system' }),
  }
}

/** Returns a result with the objects of its texts, in which fields that are null are absent. */
const comparable = (results: Fields): unknown =>
  Object.entries(results).map(([command, result]) => {
    const { value } = result as { value?: { text?: string } }
    const objects = parseAllDocuments(value?.text ?? '').map((one) => one.toJS({ reviver }) as unknown)
    return [command, value?.text === undefined ? result : { ...value, text: objects }]
  })

function reviver(this: unknown, _key: unknown, value: unknown): unknown {
  return value === null && !Array.isArray(this) ? undefined : value
}

/** Returns the paths to every field, or else to every item of a list. */
function pathsIn(value: unknown, what: 'field' | 'item'): Path[] {
  if (typeof value !== 'object' || value === null) return []
  const isList = Array.isArray(value)
  return Object.entries(value).flatMap(([key, one]: [string, unknown]) => {
    const at = isList ? Number(key) : key
    const inside = key === 'annotations' ? [] : pathsIn(one, what).map((path) => [at, ...path])
    return isList === (what === 'item') ? [[at], ...inside] : inside
  })
}

/** Returns a copy in which the value at a path is null, or absent. */
function changed(objects: readonly unknown[], path: Path, how: 'null' | 'absent'): unknown[] {
  const copy = structuredClone(objects) as unknown[]
  const parent = path.slice(0, -1).reduce<unknown>((at, key) => (at as Fields)[key], copy) as Fields
  const last = path.at(-1) ?? ''
  if (how === 'null') parent[last] = null
  else delete parent[last]
  return copy
}

for (const [name, objects] of Object.entries(inputs) as [Input, unknown[]][]) {
  void t.test(`manifests: a field that is null counts as absent, for ${name} and every other command`, async (t) => {
    t.match(await run(objects), {
      inject: { value: { reports: [{ outcome: name === 'inject' ? 'injected' : 'skipped' }] } },
      migrate: { value: { migrations: name === 'migrate' ? [{ outcome: 'migrated' }] : [] } },
      scan: { value: [{ place: 'key password' }] },
      role: { ok: true },
    })
    const paths = pathsIn(objects, 'field').filter(([, ...inObject]) => inObject.length > 0)
    t.ok(paths.length > 100)
    for (const path of paths)
      t.strictSame(
        comparable(await run(changed(objects, path, 'null'))),
        comparable(await run(changed(objects, path, 'absent'))),
        path.join('/'),
      )
  })

  void t.test(`manifests: an item that is null crashes no command, for ${name} and every other command`, async (t) => {
    const paths = pathsIn(objects, 'item').filter(([, ...inObject]) => inObject.length > 0)
    t.ok(paths.length > 10)
    for (const path of paths) await t.resolves(run(changed(objects, path, 'null')), path.join('/'))
  })
}

void t.test('manifests: a pod with a null in a list is denied, and not migrated', async (t) => {
  const path = [0, 'spec', 'template', 'spec', 'containers', 0, 'env', 0]
  t.match(await run(changed(inputs.inject, path, 'null')), {
    inject: { value: { reports: [{ outcome: 'denied', problems: [{ reason: 'malformed-pod' }] }] } },
  })
  t.match(await run(changed(inputs.migrate, path, 'null')), {
    migrate: {
      value: {
        migrations: [{ outcome: 'unchanged', problems: ['pod/spec/containers/0/env/0: must be object'] }],
      },
    },
  })
})

void t.test('manifests: an annotation that is null is empty, as the API server reads it', async (t) => {
  const path = [0, 'spec', 'template', 'metadata', 'annotations', 'azure.keyvault.injector/vault']
  t.match(await run(changed(inputs.inject, path, 'null')), {
    inject: { value: { reports: [{ outcome: 'denied', problems: [{ text: /annotation .*vault ""/ }] }] } },
  })
})

void t.test('inject, migrate: empty fields and comments stay in the printed text', async (t) => {
  const text = (annotations: string, volumes: string) => `# the app
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {azure.workload.identity/use: "true"} # opted in
  annotations:${annotations}
spec:
  nodeSelector: # any
  initContainers:
  containers:
    - name: app # first
      env:
      resources: ~
      volumeMounts:
  volumes:${volumes}
`
  const annotations = '\n    azure.keyvault.injector/vault: my-kv\n    azure.keyvault.injector/objects: db-password'
  const classes = others.map((one) => stringify(one)).join('---\n')
  const flags = { ...options, namespace: 'shop' }
  const injected = await injectDocuments(text(annotations, ''), flags)
  const volumes = `\n    - name: files\n      csi: ${JSON.stringify(csi)}`
  const migrated = await migrateDocuments(`${text('', volumes)}---\n${classes}`, flags)
  t.match(injected, { value: { reports: [{ outcome: 'injected' }] } })
  t.match(migrated, { value: { migrations: [{ outcome: 'migrated', problems: [] }] } })
  for (const result of [injected, migrated])
    for (const line of [
      /^# the app$/m,
      / # opted in$/m,
      /^ {2}nodeSelector: # any$/m,
      /^ {4}- name: app # first\n {6}env:\n {6}resources: ~$/m,
    ])
      t.match(result.ok && result.value.text, line)
})

void t.test('manifests: a deep document is read or rejected, and crashes no command', async (t) => {
  for (const depth of [1_000, 100_000]) {
    const deep = `${'{"a":'.repeat(depth)}null${'}'.repeat(depth)}`
    await t.resolves(injectDocuments(`{"kind": "ConfigMap", "data": ${deep}}`, { ...options, namespace: 'shop' }))
  }
})
