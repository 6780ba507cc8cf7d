import t from 'tap'
import { parseAllDocuments, stringify } from 'yaml'
import { injectDocuments } from '../../cli/inject.ts'
import { migrateDocuments, type Migration } from '../../cli/migrate.ts'
import { runProgram } from '../../cli/program.ts'
import { createLogger } from '../../shared/log.ts'
import { configurationOf, planInputs } from '../webhook/default-configuration.ts'

const { image, version } = planInputs()
const options = { namespace: 'shop', configuration: configurationOf(), image, version, log: createLogger('error') }
const prefix = 'azure.keyvault.injector/'

const classOf = (name: string, more: object = {}, parameters: object = {}) => ({
  apiVersion: 'secrets-store.csi.x-k8s.io/v1',
  kind: 'SecretProviderClass',
  metadata: { name },
  spec: {
    provider: 'azure',
    parameters: {
      ...{ clientID: '00000000-0000-0000-0000-00000000000a', tenantID: '11111111-1111-1111-1111-111111111111' },
      keyvaultName: 'my-kv',
      objects: stringify({
        array: [
          'objectName: db-password\nobjectType: secret',
          'objectName: web-tls\nobjectType: secret\nobjectAlias: tls.pem',
        ],
      }),
      ...parameters,
    },
    ...more,
  },
})
const synced = (key: string, objectName: string) => ({
  secretObjects: [{ secretName: 'web', type: 'Opaque', data: [{ key, objectName }] }],
})
const volume = (secretProviderClass: string, more: object = {}) => ({
  name: 'secrets',
  csi: { driver: 'secrets-store.csi.k8s.io', readOnly: true, volumeAttributes: { secretProviderClass }, ...more },
})
const mount = (mountPath: string, more: object = {}) => ({ name: 'secrets', mountPath, readOnly: true, ...more })
const deployment = (containers: object[], volumes: object[], more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { serviceAccountName: 'web', containers, volumes, ...more },
    },
  },
})
const variable = (name: string, key: string, secret = 'web') => ({
  name,
  valueFrom: { secretKeyRef: { name: secret, key } },
})

interface Template {
  metadata: { labels: Record<string, string>; annotations: Record<string, string> }
  spec: { containers: { volumeMounts?: object[]; env?: object[] }[]; volumes?: object[] }
}

/** Migrates objects; gives the text, the reports, and the pod template of the first Deployment. */
async function migrate(...objects: object[]): Promise<{ text: string; migrations: Migration[]; template: Template }> {
  const result = await migrateDocuments(objects.map((one) => stringify(one)).join('---\n'), options)
  if (!result.ok) throw new Error(result.problems.join('; '))
  const all = parseAllDocuments(result.value.text).map(
    (one) => one.toJS() as { kind: string; spec: { template: Template } },
  )
  return { ...result.value, template: all.find(({ kind }) => kind === 'Deployment')!.spec.template }
}

void t.test('migrate: replaces the volume of the CSI driver by annotations', async (t) => {
  const app = {
    name: 'app',
    image: 'app:1',
    volumeMounts: [mount('/mnt/secrets-store'), { name: 'x', mountPath: '/x' }],
  }
  const { text, migrations, template } = await migrate(
    classOf('web'),
    deployment([app], [volume('web'), { name: 'x', emptyDir: {} }]),
  )
  t.match(migrations, [{ kind: 'Deployment', namespace: 'shop', name: 'web', outcome: 'migrated', problems: [] }])
  t.match(migrations[0]?.notes.join('\n'), 'kubectl label namespace shop')
  t.match(migrations[0]?.notes.join('\n'), /00000000a needs a federated credential for system:serviceaccount:shop:web/)
  t.strictSame(template.metadata, {
    labels: { app: 'web', 'azure.workload.identity/use': 'true' },
    annotations: { [`${prefix}secret-provider-class`]: 'web', [`${prefix}mount-path`]: '/mnt/secrets-store' },
  })
  t.strictSame(template.spec.volumes, [{ name: 'x', emptyDir: {} }])
  t.strictSame(template.spec.containers[0]?.volumeMounts, [{ name: 'x', mountPath: '/x' }])
  const injected = await injectDocuments(text, options)
  t.match(injected.ok && injected.value.reports, [{ outcome: 'injected', problems: [] }])
})

void t.test('migrate: names the containers that mounted the volume', async (t) => {
  const app = { name: 'app', image: 'app:1', volumeMounts: [mount('/mnt/secrets')] }
  const { template } = await migrate(
    classOf('web'),
    deployment([app, { name: 'proxy', image: 'proxy:1' }], [volume('web')]),
  )
  t.strictSame(template.metadata.annotations, {
    [`${prefix}secret-provider-class`]: 'web',
    [`${prefix}containers`]: 'app',
  })
  t.notOk('volumes' in template.spec, 'an empty list goes')
})

void t.test('migrate: a variable of a Secret from secretObjects becomes the annotation env', async (t) => {
  const app = {
    ...{ name: 'app', image: 'app:1', volumeMounts: [mount('/mnt/secrets')] },
    env: [{ name: 'LOG', value: 'debug' }, variable('DB_PASSWORD', 'password'), variable('OTHER', 'x', 'other')],
  }
  const { migrations, template } = await migrate(
    classOf('web', synced('password', 'db-password')),
    deployment([app], [volume('web')]),
  )
  t.match(migrations, [{ outcome: 'migrated' }])
  t.match(template.metadata.annotations, { [`${prefix}env`]: 'DB_PASSWORD=db-password' })
  t.strictSame(template.spec.containers[0]?.env, [{ name: 'LOG', value: 'debug' }, variable('OTHER', 'x', 'other')])
})

const mounted = { name: 'app', image: 'app:1', volumeMounts: [mount('/mnt/secrets')] }
const ingress = {
  ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'web' } },
  spec: { tls: [{ secretName: 'web' }] },
}

void t.test('migrate: a volume stays, without its mounts, for a Secret that something else reads', async (t) => {
  const { migrations, template } = await migrate(
    classOf('web', synced('password', 'db-password')),
    deployment([mounted], [volume('web', { nodePublishSecretRef: { name: 'creds' } })]),
    ingress,
  )
  t.match(migrations, [{ outcome: 'migrated' }])
  t.match(
    migrations[0]?.notes.join('\n'),
    /volume "secrets" stays, .* Ingress web reads Secret "web", which the driver/,
  )
  t.notMatch(migrations[0]?.notes.join('\n'), /nodePublishSecretRef/, 'the driver still needs it')
  t.match(template.spec.volumes, [{ csi: { nodePublishSecretRef: { name: 'creds' } } }])
  t.notOk('volumeMounts' in template.spec.containers[0]!)
})

void t.test('migrate: users of a Secret that another program takes over stay as they are', async (t) => {
  const kept = {
    env: [variable('DB_PASSWORD', 'password')],
    envFrom: [{ secretRef: { name: 'web' } }],
  }
  const before = classOf('web', synced('password', 'db-password'))
  const annotations = { [`${prefix}sync-as`]: 'web', [`${prefix}sync-adopt`]: 'csi' }
  const { migrations, template } = await migrate(
    { ...before, metadata: { ...before.metadata, annotations } },
    deployment([{ ...mounted, ...kept }], [volume('web')]),
    ingress,
  )
  t.match(migrations, [{ outcome: 'migrated' }])
  t.match(template.spec.containers[0], kept)
  t.notOk('volumes' in template.spec)
})

void t.test('migrate: annotations replace a class for AAD Pod Identity, and request an identity binding', async (t) => {
  const retired = await migrate(classOf('web', {}, { usePodIdentity: 'true' }), deployment([mounted], [volume('web')]))
  t.match(retired.migrations, [{ outcome: 'migrated' }])
  t.match(retired.migrations[0]?.notes.join('\n'), /AAD Pod Identity, which is not supported: annotations replace it/)
  const { [`${prefix}objects`]: objects, ...others } = retired.template.metadata.annotations
  t.strictSame(others, {
    [`${prefix}vault`]: 'my-kv',
    [`${prefix}tenant-id`]: '11111111-1111-1111-1111-111111111111',
    [`${prefix}client-id`]: '00000000-0000-0000-0000-00000000000a',
  })
  t.equal(objects, '- name: db-password\n  type: secret\n- name: web-tls\n  type: secret\n  path: tls.pem\n')

  const bound = await migrate(
    classOf('web', {}, { useAzureTokenProxy: 'true' }),
    deployment([mounted], [volume('web')]),
  )
  t.match(bound.migrations, [{ outcome: 'migrated' }])
  t.match(bound.template.metadata.annotations, { 'azure.workload.identity/use-identity-binding': 'true' })
})

const left: [what: string, objects: object[], problem: RegExp][] = [
  [
    'a part of the volume is mounted',
    [classOf('web'), deployment([{ ...mounted, volumeMounts: [mount('/a', { subPath: 'x' })] }], [volume('web')])],
    /with subPath/,
  ],
  [
    'the volume is mounted at two paths',
    [classOf('web'), deployment([mounted, { name: 'b', image: 'b:1', volumeMounts: [mount('/b')] }], [volume('web')])],
    /"\/mnt\/secrets" and "\/b"/,
  ],
  [
    'a variable has a key that the class does not write',
    [
      classOf('web', synced('password', 'db-password')),
      deployment([{ ...mounted, env: [variable('A', 'no')] }], [volume('web')]),
    ],
    /variable "A" of container "app": secretObjects of class "web" have no key "no"/,
  ],
  [
    'envFrom reads the synced Secret',
    [
      classOf('web', synced('password', 'db-password')),
      deployment([{ ...mounted, envFrom: [{ secretRef: { name: 'web' } }] }], [volume('web')]),
    ],
    /envFrom of container "app" reads Secret "web"/,
  ],
  [
    'a volume reads the synced Secret',
    [
      classOf('web', synced('password', 'db-password')),
      deployment([mounted], [volume('web'), { name: 'more', secret: { secretName: 'web' } }]),
    ],
    /volume "more" reads Secret "web"/,
  ],
  [
    'the webhook would deny the pod',
    [classOf('web', {}, { useVMManagedIdentity: 'true' }), deployment([mounted], [volume('web')])],
    /useVMManagedIdentity: the node's identity is not allowed/,
  ],
  [
    'one of its classes is for AAD Pod Identity',
    [
      classOf('web', {}, { usePodIdentity: 'true' }),
      classOf('more'),
      deployment([mounted], [volume('web'), { ...volume('more'), name: 'more' }]),
    ],
    /class "web" is for AAD Pod Identity, and the pod has other classes/,
  ],
  [
    'the class is of another provider',
    [classOf('web', { provider: 'aws' }), deployment([mounted], [volume('web')])],
    /"aws"/,
  ],
  [
    'a volume names no class',
    [deployment([mounted], [{ name: 'secrets', csi: { driver: 'secrets-store.csi.k8s.io' } }])],
    /names no/,
  ],
]

void t.test('migrate: a pod that cannot be translated stays as it is, with the reason', async (t) => {
  for (const [what, objects, problem] of left) {
    const text = objects.map((one) => stringify(one)).join('---\n')
    const result = await migrate(...objects)
    t.match(result.migrations, [{ outcome: 'unchanged' }], what)
    t.match(result.migrations[0]?.problems.join('\n'), problem, what)
    t.equal(result.text, text, `${what}: not a byte differs`)
  }
})

void t.test('migrate: pods without a volume of the driver are not mentioned', async (t) => {
  const { migrations } = await migrate(deployment([{ name: 'app', image: 'app:1' }], [{ name: 'x', emptyDir: {} }]))
  t.strictSame(migrations, [])
})

void t.test('migrate: prints manifests, and what remains to be done on standard error', async (t) => {
  const said = { out: '', err: '', code: 0 }
  const run = (text: string, ...flags: string[]) => {
    Object.assign(said, { out: '', err: '', code: 0 })
    return runProgram(['migrate', '-f', '-', '--image', image, ...flags], {
      version,
      read: async () => text,
      out: (more) => (said.out += more),
      err: (more) => (said.err += more),
      exit: (code) => (said.code = code),
    })
  }
  const good = [classOf('web'), deployment([mounted], [volume('web')])].map((one) => stringify(one)).join('---\n')
  await run(good)
  t.match(said, {
    out: /secret-provider-class: web/,
    err: /^Deployment default\/web: migrated\n {2}to do: kubectl label/,
    code: 0,
  })
  await run(good.replace('mountPath: /mnt/secrets', 'subPath: x\n              mountPath: /mnt/secrets'), '--json')
  t.match(JSON.parse(said.err), { outcome: 'unchanged' })
  t.equal(said.code, 1)
  await run('a: [')
  t.match(said, { err: /^akv-injector migrate: -: document 1: not valid YAML/, code: 2 })
})
