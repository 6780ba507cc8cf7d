import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { makeServiceAccount, pod } from './support/apps.ts'
import { certManagerKinds } from './support/cert-manager.ts'
import {
  apply,
  kubectl,
  makeNamespace,
  toYaml,
  tryApply,
  tryKubectl,
  type KubernetesObject,
} from './support/kubectl.ts'
import { readyPods, type Pod } from './support/pods.ts'
import { eventually } from './support/process.ts'

const root = join(import.meta.dirname, '../..')
const own = 'platform-secrets'
const ownFolder = join(root, 'dist/e2e-own')
const [newName, newTag] = (process.env['E2E_IMAGE'] ?? 'localhost/akv-injector:e2e').split(':')
const read = (text: string): KubernetesObject[] => parseAllDocuments(text).map((one) => one.toJS() as KubernetesObject)
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

/** Cluster-wide kinds: their names, and what refers to them, must differ from those of the installation under test. */
const clusterWide = ['ClusterRole', 'ClusterRoleBinding', 'MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] // prettier-ignore

/**
 * The example as an administrator would install it, but for what must not meet the installation that the other stories use: names
 * of cluster-wide objects, and the value of the namespaces' label. The policy for forgotten labels would warn twice, and is left out.
 */
function beside(all: KubernetesObject[]): KubernetesObject[] {
  return all
    .filter(({ kind }) => !kind?.startsWith('ValidatingAdmissionPolicy'))
    .map((one) => {
      const metadata = { ...one.metadata, labels: { ...one.metadata.labels, 'akv-injector-e2e': 'true' } }
      if (clusterWide.includes(one.kind ?? '')) metadata.name = `${metadata.name}-own`
      const text = JSON.stringify({ ...one, metadata })
        .replace(/"resourceNames":\["akv-injector"\]/g, '"resourceNames":["akv-injector-own"]')
        .replace(/("kind":"ClusterRole","name":"[^"]+)"/g, '$1-own"')
        .replace(/("name":"(MUTATING|VALIDATING)_CONFIGURATION","value":"[^"]+)"/g, '$1-own"')
        .replaceAll(`"${injectionLabel}":"enabled"`, `"${injectionLabel}":"own"`)
        .replaceAll(`"${injectionLabel}":"report"`, `"${injectionLabel}":"own-report"`)
        .replaceAll('["enabled","report"]', '["own"]')
      return JSON.parse(text) as KubernetesObject
    })
}

void t.test("an administrator's own overlay, from its installation to a pod that it injects", async (t) => {
  mkdirSync(ownFolder, { recursive: true })
  // prettier-ignore
  writeFileSync(join(ownFolder, 'kustomization.yaml'), `resources: [../../manifests/examples/own]
images: [{name: registry.example.com/platform/akv-injector, newName: ${newName}, newTag: ${newTag}}]
`)
  const all = beside(read(await kubectl(['kustomize', ownFolder])))
  await apply(namespace)
  t.teardown(() => kubectl(['delete', '-f', '-', '--ignore-not-found', '--wait=false'], toYaml(all)))
  await apply(...all)
  const replicas = await readyPods(own, 'app.kubernetes.io/name=akv-injector', 3, 120)
  t.equal(replicas.length, 3, 'as many replicas as the overlay says, and all of them ready')

  const team = await makeNamespace(t, { [injectionLabel]: 'own' })
  await makeServiceAccount(team)
  const ask = async (annotations: Record<string, string>) =>
    tryApply([pod(team, 'app', { annotations, containers: [{ name: 'app', script: 'true' }] })], '--dry-run=server', '-o', 'json') // prettier-ignore
  const { code, stdout, stderr } = await ask({ vault: 'shared-kv', objects: 'db-password' })
  t.equal(code, 0, stderr)
  const sidecar = (JSON.parse(stdout) as Pod).spec.initContainers?.find(({ name }) => name === sidecarContainer)
  t.equal(sidecar?.image, `${newName}:${newTag}`, "the sidecar's image is the overlay's")
  const tenant = sidecar?.env?.find(({ name }) => name === 'AZURE_TENANT_ID')?.value
  t.equal(tenant, '00000000-0000-0000-0000-000000000001', "the configuration is the overlay's")

  const forbidden = await ask({ vault: 'shared-kv', objects: 'a', cloud: 'AzureUSGovernment' })
  t.match(forbidden.stderr, /cloud/, 'an annotation that it forbids')
  const foreign = await ask({ vault: 'team-a-kv', objects: 'a' })
  t.match(foreign.stderr, /team-a-kv/, 'a vault that it keeps to other namespaces')
  t.strictSame([forbidden.code, foreign.code].includes(0), false)
})
