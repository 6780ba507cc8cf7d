import { fail, ok, type Result } from '../../shared/result.ts'
import { readEnvironment, type KubernetesPlatform } from '../../webhook/environment.ts'
import { findingsOf, type Finding } from './finding.ts'
import { deploymentFields, type Container, type Deployment } from './objects.ts'
import type { Reader } from './reader.ts'

/** The two Deployments of an installation by the label of their component. */
export const components = ['webhook', 'standby'] as const
export type Component = (typeof components)[number]

/** An installation as its Deployments describe it. */
export interface Installation {
  namespace: string
  serviceAccount: string
  halves: Partial<Record<Component, Deployment>>
  /** The webhook's own container; of the standby, if there is no other half. */
  container: Container
  platform: KubernetesPlatform
  /** The administrator's file in the container. */
  configurationFile: string | undefined
  /** The image of sidecars, unless the administrator's file names one; undefined for the webhook's own. */
  sidecarImage: string | undefined
}

export const defaultNamespace = 'akv-injector-system'
export const componentLabel = 'app.kubernetes.io/component'
const selector = `labelSelector=${encodeURIComponent('app.kubernetes.io/name=akv-injector')}`
const { fail: broken, unread } = findingsOf('installation')

/**
 * Finds the Deployments of the injector. A finding instead of an installation says why there is none; a failure is one
 * of the command: there are several installations.
 * @param namespace of the installation; without it, all namespaces are searched
 */
export async function findInstallation(
  reader: Reader,
  namespace: string | undefined,
): Promise<Result<Installation | Finding>> {
  const within = (name: string) =>
    reader.list<Deployment>(
      `/apis/apps/v1/namespaces/${encodeURIComponent(name)}/deployments?${selector}`,
      deploymentFields,
    )
  let found =
    namespace === undefined
      ? await reader.list<Deployment>(`/apis/apps/v1/deployments?${selector}`, deploymentFields)
      : await within(namespace)
  if (found.kind === 'unread' && namespace === undefined) found = await within(defaultNamespace)
  if (found.kind === 'unread') return ok(unread('Deployments', found.reason))
  const deployments = found.kind === 'found' ? found.value : []
  const namespaces = [...new Set(deployments.map(({ metadata }) => metadata.namespace ?? ''))].sort()
  const [first, ...others] = namespaces
  if (first === undefined) {
    const where = namespace === undefined ? 'cluster' : `namespace ${namespace}`
    return ok(
      broken(
        where,
        'there is no Deployment with the label app.kubernetes.io/name=akv-injector',
        'kubectl apply -k your overlay',
      ),
    )
  }
  if (others.length > 0)
    return fail(
      `there are installations in the namespaces ${namespaces.join(', ')}: choose one with --system-namespace`,
    )
  return ok(describe(first, deployments))
}

/** Reads the installation's names from the variables of its container. */
function describe(namespace: string, deployments: readonly Deployment[]): Installation | Finding {
  const halves: Installation['halves'] = {}
  for (const component of components) {
    const half = deployments.find(({ metadata }) => metadata.labels?.[componentLabel] === component)
    if (half !== undefined) halves[component] = half
  }
  const deployment = halves.webhook ?? halves.standby
  const container = deployment && webhookContainer(deployment)
  const place = `namespace ${namespace}`
  if (deployment === undefined || container === undefined)
    return broken(place, 'no Deployment has a container named webhook', 'kubectl apply -k your overlay')
  const variables = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]))
  // The kubelet fills these in.
  const environment = readEnvironment({ ...variables, POD_NAMESPACE: namespace, POD_NAME: 'pod' })
  if (!environment.ok)
    return broken(
      `Deployment ${namespace}/${deployment.metadata.name}`,
      environment.problems.join('; '),
      'correct the variables of the container webhook in your overlay',
    )
  const { platform, configurationFile, sidecarImage } = environment.value
  if (platform.kind !== 'kubernetes')
    return broken(place, 'the webhook runs without a cluster (CLUSTER_FOLDER is set)', 'remove the variable')
  const serviceAccount = deployment.spec.template.spec.serviceAccountName ?? 'default'
  return { namespace, serviceAccount, halves, container, platform, configurationFile, sidecarImage }
}

export const webhookContainer = ({ spec }: Deployment): Container | undefined =>
  spec.template.spec.containers?.find(({ name }) => name === 'webhook')

export const isFinding = (one: Installation | Finding): one is Finding => 'status' in one
