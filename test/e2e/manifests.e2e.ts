import { execFileSync } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { certManagerKinds } from './support/cert-manager.ts'
import { beside, install, newName, newTag, render, write } from './support/own-installation.ts'
import { apply, kubectl, tryApply, tryKubectl, type KubernetesObject } from './support/kubectl.ts'
import type { Pod } from './support/pods.ts'
import { untilReachable } from './support/reachable.ts'
import { eventually } from './support/eventually.ts'
import { makeTeam } from './support/fixture.ts'

const root = join(import.meta.dirname, '../..')
const own = 'platform-secrets'
const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: own, labels: { 'akv-injector-e2e': 'true' } },
}

/** Kinds of other projects' CustomResourceDefinitions; existing ones are used. */
async function haveCertManager(t: Test): Promise<void> {
  const { stdout } = await tryKubectl(['api-resources', '--api-group=cert-manager.io', '-o', 'name'])
  if (stdout.includes('certificates.cert-manager.io')) return
  await apply(...certManagerKinds)
  t.teardown(() => kubectl(['delete', 'crd', ...certManagerKinds.map(({ metadata }) => metadata.name)]))
  await kubectl([
    'wait',
    '--for=condition=Established',
    '--timeout=30s',
    ...certManagerKinds.map(({ metadata }) => `crd/${metadata.name}`),
  ])
}

void t.test('manifests: the API server accepts every overlay with strict validation', async (t) => {
  await haveCertManager(t)
  await apply(namespace)
  for (const folder of [
    'base',
    'overlays/self-managed',
    'overlays/cert-manager',
    'overlays/emulator',
    'examples/own',
  ]) {
    const args = ['apply', '--dry-run=server', '--validate=strict', '-k', join(root, 'manifests', folder)]
    // kubectl has just cached the kinds.
    const { code, stdout, stderr } = await eventually(folder, async () => {
      const answer = await tryKubectl(args)
      return !answer.stderr.includes('no matches for kind') && answer
    })
    t.equal(code, 0, `${folder}: ${stderr}`)
    t.match(stdout, 'deployment.apps/akv-injector')
  }
  const misspelt = {
    apiVersion: 'cert-manager.io/v1',
    kind: 'Issuer',
    metadata: { name: 'x', namespace: own },
    spec: { selfSinged: {} },
  }
  t.not(
    (await tryApply([misspelt], '--dry-run=server', '--validate=strict')).code,
    0,
    'a misspelt field would be rejected',
  )
})

/** Returns what happens to a pod in a namespace that opted in. */
async function asker(t: Test, label: string) {
  const team = await makeTeam(t, { [injectionLabel]: label })
  return (annotations: Record<string, string>) =>
    tryApply(
      [pod(team, 'app', { annotations, containers: [{ name: 'app', script: 'true' }] })],
      '--dry-run=server',
      '-o',
      'json',
    )
}
const sidecarOf = (stdout: string) =>
  (JSON.parse(stdout) as Pod).spec.initContainers?.find(({ name }) => name === sidecarContainer)

void t.test("manifests: an administrator's own overlay installs and injects a pod", async (t) => {
  const folder = write(
    'e2e-own',
    `resources: [../../manifests/examples/own]
images: [{name: registry.example.com/platform/akv-injector, newName: ${newName}, newTag: ${newTag}}]
`,
  )
  await install(t, beside(await render(folder), 'own'))
  const replicas = await untilReachable(t, own, 'own', 4)
  t.equal(replicas.length, 4, 'as many replicas as the overlay says, one standby, and all of them ready')

  const ask = await asker(t, 'own')
  const { code, stdout, stderr } = await ask({ vault: 'shared-kv', objects: 'db-password' })
  t.equal(code, 0, stderr)
  const sidecar = sidecarOf(stdout)
  t.equal(sidecar?.image, `${newName}:${newTag}`, "the sidecar's image is the overlay's")
  const tenant = sidecar?.env?.find(({ name }) => name === 'AZURE_TENANT_ID')?.value
  t.equal(tenant, '00000000-0000-0000-0000-000000000001', "the configuration is the overlay's")

  const forbidden = await ask({ vault: 'shared-kv', objects: 'a', cloud: 'AzureUSGovernment' })
  t.match(forbidden.stderr, /cloud/, 'an annotation that it forbids')
  const foreign = await ask({ vault: 'team-a-kv', objects: 'a' })
  t.match(foreign.stderr, /team-a-kv/, 'a vault that it keeps to other namespaces')
  t.strictSame([forbidden.code, foreign.code].includes(0), false)
})

void t.test('manifests: with cert-manager the webhook is ready once callers trust its certificate', async (t) => {
  const name = 'platform-certificates'
  write(
    'e2e-certificates/injector',
    `namespace: ${name}
resources: [../../../manifests/base]
images: [{name: akv-injector, newName: ${newName}, newTag: ${newTag}}]
`,
  )
  const folder = write(
    'e2e-certificates',
    `resources: [injector]
components: [../../manifests/components/cert-manager]
`,
  )
  const all = await render(folder)
  const certificate = all.find(({ kind, metadata }) => kind === 'Certificate' && metadata.name === 'akv-injector')
  const { secretName, dnsNames } = certificate?.['spec'] as { secretName: string; dnsNames: string[] }
  t.strictSame(dnsNames[0], `akv-injector.${name}.svc`)
  const ours = all.filter(({ apiVersion }) => !apiVersion?.startsWith('cert-manager.io'))
  await install(t, beside(ours, 'managed'))

  // From here on, the test does the work of cert-manager and its ca-injector.
  const { authority, cert, key } = makeCertificate(t, dnsNames)
  const data = { 'ca.crt': authority, 'tls.crt': cert, 'tls.key': key }
  await apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretName, namespace: name },
    type: 'kubernetes.io/tls',
    stringData: data,
  })
  const unready = await eventually(
    'it runs, and is not ready',
    async () => {
      const events = await kubectl(['get', 'events', '-n', name, '-o', 'jsonpath={.items[*].message}'])
      return /Readiness probe failed/.test(events) && events
    },
    { seconds: 120 },
  )
  t.match(unready, /503/)
  for (const [kind, configuration] of [
    ['mutatingwebhookconfiguration', 'akv-injector-managed'],
    ['mutatingwebhookconfiguration', 'zz-akv-injector-env-managed'],
    ['validatingwebhookconfiguration', 'akv-injector-managed'],
  ] as const) {
    const { webhooks } = JSON.parse(await kubectl(['get', kind, configuration, '-o', 'json'])) as { webhooks: object[] }
    const patch = webhooks.map((_, index) => ({
      op: 'add',
      path: `/webhooks/${index}/clientConfig/caBundle`,
      value: Buffer.from(authority).toString('base64'),
    }))
    await kubectl(['patch', kind, configuration, '--type=json', '-p', JSON.stringify(patch)])
  }
  await untilReachable(t, name, 'managed')
  const ask = await asker(t, 'managed')
  const { code, stdout, stderr } = await ask({
    vault: 'my-kv',
    objects: 'db-password',
    'tenant-id': '00000000-0000-0000-0000-000000000001',
  })
  t.equal(code, 0, stderr)
  t.ok(sidecarOf(stdout), 'and it injects')
})

/** Returns a certificate of its own authority, in PEM, made by OpenSSL. */
function makeCertificate(t: Test, dnsNames: string[]) {
  const folder = t.testdir()
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  const file = (one: string): string => readFileSync(join(folder, one), 'utf8')
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    '/CN=ca',
  )
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'tls.key', '-out', 'tls.csr', '-subj', '/CN=akv-injector')
  writeFileSync(join(folder, 'names'), `subjectAltName=${dnsNames.map((one) => `DNS:${one}`).join(',')}\n`)
  openssl(
    'x509',
    '-req',
    '-in',
    'tls.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'tls.crt',
    '-days',
    '2',
    '-extfile',
    'names',
  )
  return { authority: file('ca.crt'), cert: file('tls.crt'), key: file('tls.key') }
}

void t.test('manifests: the API server accepts the example of each app without a warning', async (t) => {
  const namespace = await makeTeam(t)
  for (const file of globSync('manifests/examples/apps/*.yaml', { cwd: root })) {
    const objects = parseAllDocuments(readFileSync(join(root, file), 'utf8')).map(
      (one) => one.toJS() as KubernetesObject,
    )
    const owned = objects.map((one) => ({ ...one, metadata: { ...one.metadata, namespace } }))
    // A dry run leaves nothing behind, so its workload would have no ServiceAccount.
    await apply(...owned.filter(({ kind }) => kind === 'ServiceAccount'))
    const { code, stderr } = await tryApply(owned, '--dry-run=server', '--validate=strict')
    t.equal(code, 0, file)
    t.equal(stderr, '', `${file}: no warning`)
  }
})
