import { randomUUID } from 'node:crypto'
import t from 'tap'
import { listing, makeServiceAccount, pod } from './support/apps.ts'
import { connectEmulator, issuerOf, makeVault } from './support/emulator.ts'
import { bindingAudience, createBound } from './support/identity-binding.ts'
import { apply, makeNamespace, tryApply } from './support/kubectl.ts'
import { logHas, readyPod } from './support/pods.ts'
import { makeFixture } from './support/fixture.ts'

const app = { name: 'app', script: 'while :; do sleep 1; done' }
const reader = { name: 'app', script: listing }

void t.test("identity: the pod's own ServiceAccount token of this cluster is exchanged", async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'x' })
  await apply(pod(namespace, 'app', { annotations: { vault, objects: 'db-password' }, containers: [app] }))
  await readyPod(namespace, 'app')

  const issuer = await issuerOf()
  const seen = (await emulator.tokens()).filter(({ sub }) => sub === `system:serviceaccount:${namespace}:app`)
  t.ok(seen.length > 0, 'the emulator saw a token of this ServiceAccount')
  for (const token of seen) {
    t.equal(token.iss, issuer, "issued by this cluster's API server")
    t.strictSame([token.aud].flat(), ['api://AzureADTokenExchange'])
    t.equal(token.verified, true, "its signature fits the cluster's published keys")
  }
})

void t.test('identity: a pod whose ServiceAccount has no client ID is denied, with its name', async (t) => {
  const namespace = await makeNamespace(t)
  await makeServiceAccount(namespace, 'nobody', '')
  const object = pod(namespace, 'app', {
    annotations: { vault: 'my-kv', objects: 'x' },
    containers: [app],
    spec: { serviceAccountName: 'nobody' },
  })
  const denied = await tryApply([object])
  t.not(denied.code, 0)
  t.match(denied.stderr, 'nobody', 'the ServiceAccount is named')
  t.match(denied.stderr, 'azure.workload.identity/client-id', 'the annotation is named')

  await makeServiceAccount(namespace, 'nobody')
  const admitted = await tryApply([object])
  t.equal(admitted.code, 0, `annotated a moment ago is enough: ${admitted.stderr}`)
})

void t.test('identity: with an identity binding the pod signs in at the token proxy', async (t) => {
  const namespace = await makeNamespace(t)
  const [emulator, vault, bound] = [await connectEmulator(t), await makeVault(t), randomUUID()]
  await emulator.setSecret(vault, 'db-password', 'bound')
  await makeServiceAccount(namespace, 'app', null)
  const subject = `system:serviceaccount:${namespace}:app`
  await emulator.federate({ clientId: bound, issuer: await issuerOf(), subject, audience: bindingAudience })
  const object = pod(namespace, 'app', { annotations: { vault, objects: 'db-password' }, containers: [reader] })
  object.metadata.annotations['azure.workload.identity/use-identity-binding'] = 'true'
  const proxy = await createBound(t, namespace, object, bound)
  await readyPod(namespace, 'app')
  t.match(await logHas(namespace, 'app', 'app', 'listed'), 'db-password bound')
  const seen = (await emulator.tokens()).filter(({ sub }) => sub === subject)
  t.match(seen, [{ host: proxy, client: bound, aud: [bindingAudience], verified: true, outcome: 'issued' }])
})
