import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import t from 'tap'
import { Pki } from '../sidecar/render/pki.ts'
import { clientId, listing as listingOfAll, makeServiceAccount, pod, restrictedPod } from './support/apps.ts'
import { connectEmulator, issuerOf, makeVault } from './support/emulator.ts'
import { apply, makeNamespace, tryApply } from './support/kubectl.ts'
import { logHas, readyPod } from './support/pods.ts'
import { eventually } from './support/process.ts'
import { hasDefinition, installDefinition, secretProviderClass } from './support/secret-provider-class.ts'
import { makeStage, makeTeam } from './support/stage.ts'

/** Says of every file its permission bits, owners and digest, and who reads it. */
const listing = `
echo "uid $(id -u)"
cd /mnt/secrets/..data/ && find . -type f ! -name '..*' | while read -r file; do
  echo "file $file $(stat -c '%a %g' "$file") $(sha256sum < "$file" | cut -d' ' -f1)"
done
echo listed
while :; do sleep 1; done`

const digest = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')
const app = { name: 'app', script: listing }

void t.test('without the kind in the cluster a pod is refused, and told why', async (t) => {
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

void t.test("a SecretProviderClass's files, byte for byte, for an app of another user", async (t) => {
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
  // Nothing but the class names the identity, as with the driver.
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
        // prettier-ignore
        ['objectName: db-password', 'objectType: secret', 'objectAlias: db/main/password', 'filePermission: 0440'],
        ['objectName: rotated', 'objectType: secret', 'objectVersionHistory: 2', 'objectAlias: db/rotated'],
        ['objectName: signing', 'objectType: key'],
        ['objectName: web-tls', 'objectType: cert', 'objectAlias: tls/leaf.pem', 'filePermission: 0444'],
      ],
    ),
    secretProviderClass(namespace, 'tls', { keyvaultName: other, clientID: clientId }, [
      ['objectName: web-tls', 'objectType: secret', 'objectAlias: tls/web.pem'],
      ['objectName: web-tls', 'objectType: secret', 'objectFormat: pfx', 'objectEncoding: base64', 'objectAlias: tls/web.pfx', 'filePermission: 0640'], // prettier-ignore
    ]),
  )
  const annotations = { 'secret-provider-class': 'web, tls', objects: 'db-password=plain', vault }
  const securityContext = { ...restrictedPod, runAsUser: 12345, fsGroup: 2000 }
  const options = { containers: [app], spec: { securityContext } }
  const refused = await tryApply([pod(namespace, 'app', { annotations, ...options })])
  t.match(
    refused.stderr,
    /no client id: ServiceAccount "app"/,
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

void t.test('a class is read as it is when the pod is created', async (t) => {
  await installDefinition(t)
  const { namespace, vault } = await makeStage(t, { 'db-password': 'x' })
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

void t.test('objects of one pod are asked for as identities of several tenants, each for its own', async (t) => {
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
    secretProviderClass(namespace, 'a', { keyvaultName: vault, clientID: ofA }, [['objectName: for-a', 'objectType: secret']]), // prettier-ignore
    secretProviderClass(namespace, 'b', { keyvaultName: foreign, clientID: ofB, tenantID: tenant }, [['objectName: for-b', 'objectType: secret']]), // prettier-ignore
    secretProviderClass(namespace, 'node', node, [['objectName: for-a', 'objectType: secret']]),
  )
  for (const name of ['app', 'other']) await makeServiceAccount(namespace, name, ofPod)
  const objects = '- for-pod\n- {name: for-a, path: not-mine, optional: true}'
  const annotations = { 'secret-provider-class': 'a, b', objects, vault }
  await apply(pod(namespace, 'app', { annotations, containers: [{ name: 'app', script: listingOfAll }] }))
  const stranger = { annotations: { 'secret-provider-class': 'b' }, spec: { serviceAccountName: 'other' }, containers: [app] } // prettier-ignore
  await apply(pod(namespace, 'stranger', stranger))
  await readyPod(namespace, 'app')
  const log = await logHas(namespace, 'app', 'app', 'listed')
  t.strictSame(log.trim().split('\n'), ['for-a for-a value', 'for-b for-b value', 'for-pod for-pod value', 'listed'])
  const denied = `vault ${vault}, secret for-a: 403 ForbiddenByRbac: identity ${ofPod} may not get it; grant .*Key Vault Secrets User` // prettier-ignore
  t.ok(await logHas(namespace, 'app', 'akv-injector', new RegExp(denied)), 'the pod itself may not')
  const unknown = `sign-in of identity ${ofB} at .*/${tenant}: 400 AADSTS70021.* subject .*system:serviceaccount:${namespace}:other` // prettier-ignore
  t.ok(await logHas(namespace, 'stranger', 'akv-injector', new RegExp(unknown)), 'nor another ServiceAccount')

  const { issued } = Object.groupBy((await emulator.tokens()).filter(({ sub }) => sub === subject), ({ outcome }) => outcome) // prettier-ignore
  const tenants = Object.fromEntries((issued ?? []).map((token) => [token.client, token.tenant]))
  const own = '11111111-1111-1111-1111-111111111111'
  t.strictSame(tenants, { [ofPod]: own, [ofA]: own, [ofB]: tenant }, 'each signed in, and nobody else')

  const refused = await tryApply([pod(namespace, 'node', { annotations: { 'secret-provider-class': 'node' }, containers: [app] })]) // prettier-ignore
  t.match(refused.stderr, /the node's identity is not used, because every pod of the node has it/)
})
