import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { injectionLabel } from '../../../shared/names.ts'
import { apply, kubectl, toYaml, type KubernetesObject } from './kubectl.ts'

const dist = join(import.meta.dirname, '../../../dist')
export const [newName, newTag] = (process.env['E2E_IMAGE'] ?? 'localhost/akv-injector:e2e').split(':')

/** Writes a kustomization for this run, and gives its folder. */
export function write(folder: string, text: string): string {
  mkdirSync(join(dist, folder), { recursive: true })
  writeFileSync(join(dist, folder, 'kustomization.yaml'), text)
  return join(dist, folder)
}

/** Writes a kustomization of the overlay self-managed in another namespace; `more` goes at its end. */
export const writeSelfManaged = (folder: string, namespace: string, more = ''): string =>
  write(folder, `namespace: ${namespace}
resources: [../../manifests/overlays/self-managed]
images: [{name: akv-injector, newName: ${newName}, newTag: ${newTag}}]
configMapGenerator:
  - {name: akv-injector-configuration, namespace: akv-injector-system, behavior: replace, literals: ['configuration.yaml=tenantId: 11111111-1111-1111-1111-111111111111']}
generatorOptions: {disableNameSuffixHash: true}
${more}`) // prettier-ignore

/** What `kubectl apply -k` would send. */
export const render = async (folder: string): Promise<KubernetesObject[]> =>
  parseAllDocuments(await kubectl(['kustomize', folder])).map((one) => one.toJS() as KubernetesObject)

/** Cluster-wide kinds: their names, and what refers to them, must differ from those of the installation under test. */
const clusterWide = ['ClusterRole', 'ClusterRoleBinding', 'MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] // prettier-ignore

/**
 * An overlay as an administrator would install it, but for what must not meet the installation that the other stories use: names
 * of cluster-wide objects, and the value of the namespaces' label. The policy for forgotten labels would warn twice, and is left out.
 * @param environment of the webhook, beside the overlay's; nobody waits for the drain unless it says so
 */
export function beside(
  all: KubernetesObject[],
  name: string,
  environment: Record<string, string> = { DRAIN_SECONDS: '1' },
): KubernetesObject[] {
  const added = Object.entries(environment).map(([name, value]) => JSON.stringify({ name, value }))
  const taken = new Set(all.map(({ metadata }) => metadata.name))
  return all
    .filter(({ kind }) => !kind?.startsWith('ValidatingAdmissionPolicy'))
    .map((one) => {
      const metadata = { ...one.metadata, labels: { ...one.metadata.labels, 'akv-injector-e2e': 'true' } }
      if (clusterWide.includes(one.kind ?? '')) metadata.name = `${metadata.name}-${name}`
      if (clusterWide.includes(one.kind ?? '') && taken.has(metadata.name)) throw new Error(`${metadata.name} is a name of the base`) // prettier-ignore
      const text = JSON.stringify({ ...one, metadata })
        .replace(/"resourceNames":\["akv-injector"\]/g, `"resourceNames":["akv-injector-${name}"]`)
        .replace(/("kind":"ClusterRole","name":"[^"]+)"/g, `$1-${name}"`)
        .replace(/("name":"(MUTATING|VALIDATING)_CONFIGURATION","value":"[^"]+)"/g, `$1-${name}"`)
        .replaceAll(`"${injectionLabel}":"enabled"`, `"${injectionLabel}":"${name}"`)
        .replaceAll(`"${injectionLabel}":"report"`, `"${injectionLabel}":"${name}-report"`)
        .replace('"env":[', `"env":[${added.map((one) => `${one},`).join('')}`)
      return JSON.parse(text) as KubernetesObject
    })
}

/** Applies it for as long as the test runs. It goes before its permissions do: no call of it is ever forbidden. */
export async function install(t: Test, all: KubernetesObject[]): Promise<void> {
  await apply(...all.filter(({ kind }) => kind === 'Namespace'))
  const running = all.filter(({ kind }) => kind === 'Deployment')
  t.teardown(async () => {
    await kubectl(['delete', '-f', '-', '--ignore-not-found', '--cascade=foreground'], toYaml(running))
    await kubectl(['delete', '-f', '-', '--ignore-not-found', '--wait=false'], toYaml(all))
  })
  await apply(...all)
}
