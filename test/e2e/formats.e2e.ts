import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import t from 'tap'
import { Pki } from '../support/pki.ts'
import { clientId, listing as listingOfAll, makeServiceAccount, pod, restrictedPod } from './support/apps.ts'
import { connectEmulator, issuerOf, makeVault } from './support/emulator.ts'
import { apply, makeNamespace, tryApply } from './support/kubectl.ts'
import { logHas, readyPod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { hasDefinition, installDefinition, secretProviderClass } from './support/secret-provider-class.ts'
import { makeFixture, makeTeam } from './support/fixture.ts'

/** Prints permission bits, owners and digest of every file, and the user who reads it. */
const listing = `
echo "uid $(id -u)"
cd /mnt/secrets/..data/ && find . -type f ! -name '..*' | while read -r file; do
  echo "file $file $(stat -c '%a %g' "$file") $(sha256sum < "$file" | cut -d' ' -f1)"
done
echo listed
while :; do sleep 1; done`

const digest = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')
const app = { name: 'app', script: listing }

void t.test('SecretProviderClass: in a cluster without that kind a pod is denied with the reason', async (t) => {
  if (await hasDefinition()) return t.pass('the cluster has it')
  const namespace = await makeTeam(t)
  const { code, stderr } = await tryApply([
    pod(namespace, 'app', { annotations: { 'secret-provider-class': 'web' }, containers: [app] }),
  ])
  t.not(code, 0)
  t.match(
    stderr,
    /CustomResourceDefinition secretproviderclasses\.secrets-store\.csi\.x-k8s\.io \(v1\) is not installed/,
  )
})

void t.test('SecretProviderClass: its files are written byte for byte for an app of another user', async (t) => {
  await installDefinition(t)
  const namespace = await makeNamespace(t, { 'pod-security.kubernetes.io/enforce': 'restricted' })
  const emulator = await connectEmulator(t)
  const [vault, other] = [await makeVault(t), await makeVault(t)]
  const pki = new Pki(t)
  const chain = pki.chain('P-256', 3)
  const container = pki.pkcs12(chain, { legacy: true })
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  for (const one of [vault, other]) await emulator.importCertificate(one, 'web-tls', container.toString('base64'))
  await emulator.setKey(vault, 'signing', publicKey.export({ format: 'jwk' }))
  for (const [age, value] of ['three', 'two', 'one'].entries()) {
    await emulator.setSecret(vault, 'rotated', value, { attributes: { created: 1_700_000_000 - age } })
  }
  await emulator.setSecret(vault, 'db-password', 'pässword\n')
  // Only the class names the identity, as with the driver.
  await apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'app', namespace } })
  await apply(
    secretProviderClass(
      namespace,
      'web',
      {
        keyvaultName: vault,
        clientID: clientId,
        tenantId: '11111111-1111-1111-1111-111111111111',
        usePodIdentity: 'false',
      },
      [
        ['objectName: db-password', 'objectType: secret', 'objectAlias: db/main/password', 'filePermission: 0440'],
        ['objectName: rotated', 'objectType: secret', 'objectVersionHistory: 2', 'objectAlias: db/rotated'],
        ['objectName: signing', 'objectType: key'],
        ['objectName: web-tls', 'objectType: cert', 'objectAlias: tls/leaf.pem', 'filePermission: 0444'],
      ],
    ),
    secretProviderClass(namespace, 'tls', { keyvaultName: other, clientID: clientId }, [
      ['objectName: web-tls', 'objectType: secret', 'objectAlias: tls/web.pem'],
      [
        'objectName: web-tls',
        'objectType: secret',
        'objectFormat: pfx',
        'objectEncoding: base64',
        'objectAlias: tls/web.pfx',
        'filePermission: 0640',
      ],
    ]),
  )
  const annotations = { 'secret-provider-class': 'web, tls', objects: 'db-password=plain', vault }
  const securityContext = { ...restrictedPod, runAsUser: 12345, fsGroup: 2000 }
  const options = { containers: [app], spec: { securityContext } }
  const refused = await tryApply([pod(namespace, 'app', { annotations, ...options })])
  t.match(
    refused.stderr,
    /no client ID: ServiceAccount "app"/,
    'what the pod itself asks for needs an identity of its own',
  )

  await apply(pod(namespace, 'app', { annotations: { 'secret-provider-class': 'web, tls' }, ...options }))
  await readyPod(namespace, 'app')
  const log = await logHas(namespace, 'app', 'app', 'listed')
  t.match(log, /^uid 12345$/m)
  for (const one of [vault, other]) t.ok((await emulator.counts(one))['secrets.get'] ?? 0, `vault ${one} was asked`)
  const lines = log.matchAll(/^file \.\/(\S+) (\S+ \S+ \S+)$/gm)
  const files: Record<string, string> = Object.fromEntries(
    Array.from(lines, ([, path = '', rest = '']) => [path, rest]),
  )
  t.strictSame(files, {
    'db/main/password': `440 2000 ${digest('pässword\n')}`,
    'db/rotated/0': `440 2000 ${digest('three')}`,
    'db/rotated/1': `440 2000 ${digest('two')}`,
    signing: `440 2000 ${digest(publicKey.export({ type: 'spki', format: 'pem' }))}`,
    'tls/leaf.pem': `444 2000 ${digest(chain.certificates[0] ?? '')}`,
    'tls/web.pem': `440 2000 ${digest(chain.key + chain.certificates.join(''))}`,
    'tls/web.pfx': `640 2000 ${digest(container)}`,
  })
})

void t.test('SecretProviderClass: a class is read as it is when the pod is created', async (t) => {
  await installDefinition(t)
  const { namespace, vault } = await makeFixture(t, { 'db-password': 'x' })
  const withClass = pod(namespace, 'app', { annotations: { 'secret-provider-class': 'web' }, containers: [app] })
  t.match((await tryApply([withClass])).stderr, /there is no SecretProviderClass "web" in namespace/)
  const parameters = { keyvaultName: vault, resourceGroup: 'rg' }
  await apply(secretProviderClass(namespace, 'web', parameters, [['objectName: db-password', 'objectType: sekret']]))
  t.match(
    (await tryApply([withClass])).stderr,
    /object 1 \("db-password"\): objectType "sekret": expected one of secret/,
  )
  await apply(secretProviderClass(namespace, 'web', parameters, [['objectName: db-password', 'objectType: secret']]))
  const created = await eventually('it is created', async () => {
    const done = await tryApply([withClass])
    return done.code === 0 && done
  })
  t.match(created.stderr, /unknown parameter "resourceGroup" is ignored/, 'warnings are shown')
  await readyPod(namespace, 'app')
})

void t.test('identities: objects of one pod are requested with identities of several tenants', async (t) => {
  await installDefinition(t)
  const namespace = await makeNamespace(t)
  const [emulator, vault, foreign] = [await connectEmulator(t), await makeVault(t), await makeVault(t)]
  const tenant = randomUUID()
  const [ofPod, ofA, ofB] = [randomUUID(), randomUUID(), randomUUID()]
  for (const name of ['for-pod', 'for-a']) await emulator.setSecret(vault, name, `${name} value`)
  await emulator.setSecret(foreign, 'for-b', 'for-b value')
  await emulator.setTenant(foreign, tenant)
  const subject = `system:serviceaccount:${namespace}:app`
  await emulator.federate({ clientId: ofB, issuer: await issuerOf(), subject, tenant })
  await emulator.allowOnly(ofPod, vault, 'secrets/for-pod')
  await emulator.allowOnly(ofA, vault, 'secrets/for-a')
  await emulator.allowOnly(ofB, foreign, 'secrets/for-b')
  const node = { keyvaultName: vault, useVMManagedIdentity: 'true' }
  await apply(
    secretProviderClass(namespace, 'a', { keyvaultName: vault, clientID: ofA }, [
      ['objectName: for-a', 'objectType: secret'],
    ]),
    secretProviderClass(namespace, 'b', { keyvaultName: foreign, clientID: ofB, tenantID: tenant }, [
      ['objectName: for-b', 'objectType: secret'],
    ]),
    secretProviderClass(namespace, 'node', node, [['objectName: for-a', 'objectType: secret']]),
  )
  for (const name of ['app', 'other']) await makeServiceAccount(namespace, name, ofPod)
  const objects = '- for-pod\n- {name: for-a, path: not-mine, optional: true}'
  const annotations = { 'secret-provider-class': 'a, b', objects, vault }
  await apply(pod(namespace, 'app', { annotations, containers: [{ name: 'app', script: listingOfAll }] }))
  const stranger = {
    annotations: { 'secret-provider-class': 'b' },
    spec: { serviceAccountName: 'other' },
    containers: [app],
  }
  await apply(pod(namespace, 'stranger', stranger))
  await readyPod(namespace, 'app')
  const log = await logHas(namespace, 'app', 'app', 'listed')
  t.strictSame(log.trim().split('\n'), ['for-a for-a value', 'for-b for-b value', 'for-pod for-pod value', 'listed'])
  const denied = `vault ${vault}, secret for-a: 403 ForbiddenByRbac: identity ${ofPod} is not allowed to get it; grant .*Key Vault Secrets User`
  t.ok(await logHas(namespace, 'app', 'akv-injector', new RegExp(denied)), 'the pod itself may not')
  const unknown = `sign-in of identity ${ofB} at .*/${tenant}: 400 AADSTS70021.* subject .*system:serviceaccount:${namespace}:other`
  t.ok(await logHas(namespace, 'stranger', 'akv-injector', new RegExp(unknown)), 'nor another ServiceAccount')

  const { issued } = Object.groupBy(
    (await emulator.tokens()).filter(({ sub }) => sub === subject),
    ({ outcome }) => outcome,
  )
  const tenants = Object.fromEntries((issued ?? []).map((token) => [token.client, token.tenant]))
  const own = '11111111-1111-1111-1111-111111111111'
  t.strictSame(tenants, { [ofPod]: own, [ofA]: own, [ofB]: tenant }, 'each signed in, and no other identity')

  const refused = await tryApply([
    pod(namespace, 'node', { annotations: { 'secret-provider-class': 'node' }, containers: [app] }),
  ])
  t.match(refused.stderr, /the node's identity is not allowed, because every pod on the node has it/)
})

void t.test('formats: fields, conversions, selected bundles and escapes of one pod', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'p@ss/w:rd #1*' })
  const chain = new Pki(t).chain('P-256', 3)
  await emulator.setSecret(vault, 'db', JSON.stringify({ user: 'app', hosts: ['a', 'b'] }))
  await emulator.importCertificate(vault, 'web-tls', chain.key + chain.certificates.join(''))
  await emulator.setSecret(vault, 'web-a', 'a', { tags: { app: 'web' } })
  const objects = `
objects:
  - db-password
  - { name: db, property: user, path: db/user }
  - { name: db, property: hosts, path: db/hosts }
  - { name: web-tls, split: true, path: tls/web.pem }
  - { name: web-tls, format: pfx, encoding: base64, path: tls/web.pfx }
  - { name: web-tls, format: truststore, path: tls/trust.p12 }
  - find: { tags: { app: web }, group: web }
templates:
  url: '{{ files["db/user"] }}:{{ secrets["db-password"] | percent_encode }}'
bundles:
  app.env: { format: dotenv, only: [db-password, db/user], groups: [web], names: { db/user: PGUSER } }
  app.json: { format: json, except: [web-tls, db/hosts] }`
  await apply(pod(namespace, 'app', { annotations: { vault, objects }, containers: [app] }))
  await readyPod(namespace, 'app')
  const log = await logHas(namespace, 'app', 'app', 'listed')
  const files = Object.fromEntries(
    Array.from(log.matchAll(/^file \.\/(\S+) \S+ \S+ (\S+)$/gm), ([, path = '', hash = '']) => [path, hash]),
  )
  const { 'tls/web.pfx': pfx, 'tls/trust.p12': truststore, 'tls/web.pem.key': key, ...texts } = files
  t.ok(pfx && truststore && key, 'PKCS#12 and the key, whose bytes unit tests read back')
  t.strictSame(texts, {
    'db-password': digest('p@ss/w:rd #1*'),
    'db/user': digest('app'),
    'db/hosts': digest('["a","b"]'),
    'web-a': digest('a'),
    url: digest('app:p%40ss%2Fw%3Ard%20%231%2A'),
    'app.env': digest("DB_PASSWORD='p@ss/w:rd #1*'\nPGUSER='app'\nWEB_A='a'\n"),
    'app.json': digest(
      `${JSON.stringify({ 'db-password': 'p@ss/w:rd #1*', db: 'app', 'web-a': 'a' }, undefined, 2)}\n`,
    ),
    'tls/web.pem': digest(chain.key + chain.certificates.join('')),
    'tls/web.pem.crt': digest(chain.certificates.join('')),
    'tls/web.pem.ca.crt': digest(chain.certificates.slice(1).join('')),
  })
})
