import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { certManagerKinds } from './support/cert-manager.ts'
import { beside, install, newName, newTag, render, write } from './support/own-installation.ts'
import { apply, kubectl, tryApply, tryKubectl } from './support/kubectl.ts'
import { readyPods, type Pod } from './support/pods.ts'
import { eventually } from './support/process.ts'
import { makeTeam } from './support/stage.ts'

const root = join(import.meta.dirname, '../..')
const own = 'platform-secrets'
const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: own, labels: { 'akv-injector-e2e': 'true' } } } // prettier-ignore

/** Kinds that somebody else's CustomResourceDefinitions bring; where they are there already, those are used. */
async function haveCertManager(t: Test): Promise<void> {
  const { stdout } = await tryKubectl(['api-resources', '--api-group=cert-manager.io', '-o', 'name'])
  if (stdout.includes('certificates.cert-manager.io')) return
  await apply(...certManagerKinds)
  t.teardown(() => kubectl(['delete', 'crd', ...certManagerKinds.map(({ metadata }) => metadata.name)]))
  await kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...certManagerKinds.map(({ metadata }) => `crd/${metadata.name}`)]) // prettier-ignore
}

void t.test('the API server takes every overlay to the letter', async (t) => {
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
    // kubectl has just cached what kinds there are.
    const { code, stdout, stderr } = await eventually(folder, async () => {
      const answer = await tryKubectl(args)
      return !answer.stderr.includes('no matches for kind') && answer
    })
    t.equal(code, 0, `${folder}: ${stderr}`)
    t.match(stdout, 'deployment.apps/akv-injector')
  }
  const misspelt = { apiVersion: 'cert-manager.io/v1', kind: 'Issuer', metadata: { name: 'x', namespace: own }, spec: { selfSinged: {} } } // prettier-ignore
  t.not((await tryApply([misspelt], '--dry-run=server', '--validate=strict')).code, 0, 'a misspelt field would be told')
})

/** What becomes of a pod in a namespace that opted in. */
async function asker(t: Test, label: string) {
  const team = await makeTeam(t, { [injectionLabel]: label })
  return (annotations: Record<string, string>) =>
    tryApply([pod(team, 'app', { annotations, containers: [{ name: 'app', script: 'true' }] })], '--dry-run=server', '-o', 'json') // prettier-ignore
}
const sidecarOf = (stdout: string) =>
  (JSON.parse(stdout) as Pod).spec.initContainers?.find(({ name }) => name === sidecarContainer)

void t.test("an administrator's own overlay, from its installation to a pod that it injects", async (t) => {
  const folder = write('e2e-own', `resources: [../../manifests/examples/own]
images: [{name: registry.example.com/platform/akv-injector, newName: ${newName}, newTag: ${newTag}}]
`) // prettier-ignore
  await install(t, beside(await render(folder), 'own'))
  const replicas = await readyPods(own, 'app.kubernetes.io/name=akv-injector', 4, 120)
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

void t.test('with cert-manager: ready once callers trust the certificate that it mounts', async (t) => {
  const name = 'platform-certificates'
  write('e2e-certificates/injector', `namespace: ${name}
resources: [../../../manifests/base]
images: [{name: akv-injector, newName: ${newName}, newTag: ${newTag}}]
`) // prettier-ignore
  const folder = write('e2e-certificates', `resources: [injector]
components: [../../manifests/components/cert-manager]
`) // prettier-ignore
  const all = await render(folder)
  const certificate = all.find(({ kind, metadata }) => kind === 'Certificate' && metadata.name === 'akv-injector')
  const { secretName, dnsNames } = certificate?.['spec'] as { secretName: string; dnsNames: string[] }
  t.strictSame(dnsNames[0], `akv-injector.${name}.svc`)
  const ours = all.filter(({ apiVersion }) => !apiVersion?.startsWith('cert-manager.io'))
  await install(t, beside(ours, 'managed'))

  // From here on the test does what cert-manager and its ca-injector do.
  const { authority, cert, key } = makeCertificate(t, dnsNames)
  const data = { 'ca.crt': authority, 'tls.crt': cert, 'tls.key': key }
  await apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: secretName, namespace: name }, type: 'kubernetes.io/tls', stringData: data }) // prettier-ignore
  const unready = await eventually('it runs, and is not ready', async () => {
    const events = await kubectl(['get', 'events', '-n', name, '-o', 'jsonpath={.items[*].message}'])
    return /Readiness probe failed/.test(events) && events
  }, { seconds: 120 }) // prettier-ignore
  t.match(unready, /503/)
  for (const kind of ['mutatingwebhookconfiguration', 'validatingwebhookconfiguration']) {
    const configuration = 'akv-injector-managed'
    const { webhooks } = JSON.parse(await kubectl(['get', kind, configuration, '-o', 'json'])) as { webhooks: object[] }
    const patch = webhooks.map((_, index) => ({ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: Buffer.from(authority).toString('base64') })) // prettier-ignore
    await kubectl(['patch', kind, configuration, '--type=json', '-p', JSON.stringify(patch)])
  }
  await readyPods(name, 'app.kubernetes.io/name=akv-injector', 2, 120)
  const ask = await asker(t, 'managed')
  const { code, stdout, stderr } = await ask({ vault: 'my-kv', objects: 'db-password', 'tenant-id': '00000000-0000-0000-0000-000000000001' }) // prettier-ignore
  t.equal(code, 0, stderr)
  t.ok(sidecarOf(stdout), 'and it injects')
})

/** A certificate of an authority of its own, in PEM, made by OpenSSL. */
function makeCertificate(t: Test, dnsNames: string[]) {
  const folder = t.testdir()
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  const file = (one: string): string => readFileSync(join(folder, one), 'utf8')
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=ca') // prettier-ignore
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'tls.key', '-out', 'tls.csr', '-subj', '/CN=akv-injector')
  writeFileSync(join(folder, 'names'), `subjectAltName=${dnsNames.map((one) => `DNS:${one}`).join(',')}\n`)
  openssl('x509', '-req', '-in', 'tls.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-out', 'tls.crt', '-days', '2', '-extfile', 'names') // prettier-ignore
  return { authority: file('ca.crt'), cert: file('tls.crt'), key: file('tls.key') }
}
