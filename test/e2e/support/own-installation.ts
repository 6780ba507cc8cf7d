import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { injectionLabel } from '../../../shared/names.ts'
import { apply, kubectl, toYaml, type KubernetesObject } from './kubectl.ts'
import { readyPods, type Pod } from './pods.ts'
import { untilReachable } from './reachable.ts'

const dist = join(import.meta.dirname, '../../../dist')
export const [newName, newTag] = (process.env['E2E_IMAGE'] ?? 'localhost/akv-injector:e2e').split(':')

/** Writes a kustomization for this run and returns its folder. */
export function write(folder: string, text: string): string {
  mkdirSync(join(dist, folder), { recursive: true })
  writeFileSync(join(dist, folder, 'kustomization.yaml'), text)
  return join(dist, folder)
}

/** Writes a kustomization of the overlay self-managed in another namespace; `more` is appended. */
export const writeSelfManaged = (folder: string, namespace: string, more = ''): string =>
  write(
    folder,
    `namespace: ${namespace}
resources: [../../manifests/overlays/self-managed]
images: [{name: akv-injector, newName: ${newName}, newTag: ${newTag}}]
configMapGenerator:
  - {name: akv-injector-configuration, namespace: akv-injector-system, behavior: replace, literals: ['configuration.yaml=tenantId: 11111111-1111-1111-1111-111111111111']}
generatorOptions: {disableNameSuffixHash: true}
${more}`,
  )

/** Returns what `kubectl apply -k` would send. */
export const render = async (folder: string): Promise<KubernetesObject[]> =>
  parseAllDocuments(await kubectl(['kustomize', folder])).map((one) => one.toJS() as KubernetesObject)

/** Cluster-wide kinds: their names, and references to them, must differ from those of the shared installation. */
const clusterWide = [
  'ClusterRole',
  'ClusterRoleBinding',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
]

/**
 * An overlay as an administrator would install it, but for what must not meet the installation that the other scenarios use: names
 * of cluster-wide objects, and the value of the namespaces' label. The policy for forgotten labels would warn twice, and is left out.
 * @param environment of the webhook, beside the overlay's; there is no wait for the drain unless it sets one
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
      if (clusterWide.includes(one.kind ?? '') && taken.has(metadata.name))
        throw new Error(`${metadata.name} is a name of the base`)
      const text = JSON.stringify({ ...one, metadata })
        .replace(
          '"resourceNames":["akv-injector","zz-akv-injector-env"]',
          `"resourceNames":["akv-injector-${name}","zz-akv-injector-env-${name}"]`,
        )
        .replace(/("kind":"ClusterRole","name":"[^"]+)"/g, `$1-${name}"`)
        .replace(
          /("name":"(?:MUTATING|VALIDATING)_CONFIGURATION","value":)"([^"]+)"/g,
          (_text, before: string, names: string) =>
            `${before}"${names
              .split(',')
              .map((one) => `${one}-${name}`)
              .join()}"`,
        )
        .replaceAll(`"${injectionLabel}":"enabled"`, `"${injectionLabel}":"${name}"`)
        .replaceAll(`"${injectionLabel}":"report"`, `"${injectionLabel}":"${name}-report"`)
        .replace('"env":[', `"env":[${added.map((one) => `${one},`).join('')}`)
      return JSON.parse(text) as KubernetesObject
    })
}

/**
 * Applies it while the test runs. It is removed before its permissions, so that none of its calls is ever forbidden.
 */
export async function install(t: Test, all: KubernetesObject[]): Promise<void> {
  await apply(...all.filter(({ kind }) => kind === 'Namespace'))
  const running = all.filter(({ kind }) => kind === 'Deployment')
  t.teardown(async () => {
    await kubectl(['delete', '-f', '-', '--ignore-not-found', '--cascade=foreground'], toYaml(running))
    await kubectl(['delete', '-f', '-', '--ignore-not-found', '--wait=false'], toYaml(all))
  })
  await apply(...all)
}

/**
 * Installs both halves in a namespace of their own, and waits until the API server reaches them. A scenario that ends replicas does so
 * here: in the installation that all share, the pods of the others would go without what ignores failures.
 * @param name the value of the namespaces' label
 * @param environment of the webhook, as in `beside`
 */
export async function installHalves(t: Test, name: string, namespace: string, environment?: Record<string, string>) {
  await install(t, beside(await render(writeSelfManaged(`e2e-${name}`, namespace)), name, environment))
  await untilReachable(t, namespace, name)
  return {
    scale: async (component: 'webhook' | 'standby', replicas: number): Promise<Pod[]> => {
      const deployment = component === 'webhook' ? 'akv-injector' : 'akv-injector-standby'
      await kubectl(['scale', '-n', namespace, `deployment/${deployment}`, `--replicas=${replicas}`])
      return readyPods(
        namespace,
        `app.kubernetes.io/name=akv-injector,app.kubernetes.io/component=${component}`,
        replicas,
      )
    },
  }
}
