import type { Configuration } from '../../webhook/configuration/configuration.ts'
import { program as syncName } from '../../sync/names.ts'
import { judgeAvailability } from './availability.ts'
import { checkCoordinatorCertificate } from './coordinator-certificate.ts'
import { expectedSyncPermissions, expectedSyncPolicies } from './expected.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Installation } from './installation.ts'
import { deploymentFields, podFields, type Deployment, type Pod } from './objects.ts'
import { checkPermissions } from './permissions.ts'
import { checkPolicies } from './policies.ts'
import type { Reader } from './reader.ts'

const findings = findingsOf('programs')
const coordinatorName = 'akv-injector-coordinator'
const label = 'app.kubernetes.io/name'
const selector = `labelSelector=${encodeURIComponent(`${label} in (${syncName},${coordinatorName})`)}`

const consequences = {
  [syncName]: 'Kubernetes Secrets keep the values that they have',
  [coordinatorName]: 'pods poll meanwhile',
}
const programs = [syncName, coordinatorName] as const

export interface ProgramsContext {
  /** The version of the API server. */
  version: string | undefined
  /** The administrator's file, if it could be read. */
  configuration: Configuration | undefined
  /** Milliseconds since 1970. */
  now: number
}

/** Checks the optional programs that are installed beside the webhook. */
export async function checkPrograms(
  reader: Reader,
  installation: Installation,
  context: ProgramsContext,
): Promise<Finding[]> {
  const { namespace } = installation
  const within = (kind: string): string => `namespaces/${encodeURIComponent(namespace)}/${kind}?${selector}`
  const [deployments, pods] = await Promise.all([
    reader.list<Deployment>(`/apis/apps/v1/${within('deployments')}`, deploymentFields),
    reader.list<Pod>(`/api/v1/${within('pods')}`, podFields),
  ])
  if (deployments.kind === 'unread') return [findings.unread('Deployments', deployments.reason)]
  const all = deployments.kind === 'found' ? deployments.value : []
  const podsOf = (name: string): Pod[] =>
    pods.kind === 'found' ? pods.value.filter(({ metadata }) => metadata.labels?.[label] === name) : []
  const found = await Promise.all(
    programs.map(async (name) => {
      const deployment = all.find(({ metadata }) => metadata.labels?.[label] === name)
      if (deployment === undefined) return name === coordinatorName ? judgeAbsence(namespace, context) : []
      const availability = { namespace, deployment, consequence: consequences[name], pods: podsOf(name) }
      return [
        judgeAvailability(findings, { ...availability, selector: `${label}=${name}` }),
        ...judgeImage(installation, deployment),
        ...(name === syncName
          ? await checkSync(reader, namespace, deployment, context)
          : await checkCoordinator(reader, namespace, deployment, context)),
      ]
    }),
  )
  return found.flat()
}

/** The host of the coordinator that pods are to use; undefined without one. */
const hostOf = (configuration: Configuration | undefined): string | undefined =>
  configuration?.coordinator && new URL(configuration.coordinator.url).hostname.replace(/\.$/, '')

/** A coordinator that the administrator's file names may also be that of another installation. */
function judgeAbsence(namespace: string, { configuration }: ProgramsContext): Finding[] {
  const host = hostOf(configuration)
  if (host?.startsWith(`${coordinatorName}.${namespace}.`) !== true) return []
  return [
    findings.warn(
      `Deployment ${namespace}/${coordinatorName}`,
      "does not exist, although the administrator's file names it, so that pods poll",
      'add the component manifests/components/coordinator to your overlay, or remove `coordinator` from the file',
    ),
  ]
}

/** The overlay's `images:` gives all programs the same image. */
function judgeImage({ namespace, container }: Installation, deployment: Deployment): Finding[] {
  const { name } = deployment.metadata
  const { containers: [one] = [] } = deployment.spec.template.spec
  if (one?.image === container.image) return []
  return [
    findings.warn(
      `Deployment ${namespace}/${name}`,
      `runs the image ${one?.image ?? 'none'}, and the webhook ${container.image ?? 'none'}`,
      'set the image with `images:` in your overlay, which changes both',
    ),
  ]
}

async function checkSync(
  reader: Reader,
  namespace: string,
  deployment: Deployment,
  { version }: ProgramsContext,
): Promise<Finding[]> {
  const serviceAccount = accountOf(deployment)
  const needed = expectedSyncPermissions.map(({ scope, ...attributes }) => ({
    ...attributes,
    ...(scope === 'own' && { namespace }),
  }))
  const account = { namespace, serviceAccount, program: 'the program for Kubernetes Secrets' }
  return [
    ...(serviceAccount === syncName
      ? []
      : [
          findings.fail(
            `Deployment ${namespace}/${deployment.metadata.name}`,
            `runs as the ServiceAccount ${serviceAccount}, which the policies do not match, so that it writes nothing`,
            `name the ServiceAccount ${syncName}`,
          ),
        ]),
    ...(await checkPermissions(reader, account, needed)),
    ...(await checkPolicies(reader, version, expectedSyncPolicies)),
  ]
}

/** What the coordinator reads from the API server, as every ServiceAccount may by default. */
const keyPaths = ['/.well-known/openid-configuration', '/openid/v1/jwks'].map((path) => ({ verb: 'get', path }))

async function checkCoordinator(
  reader: Reader,
  namespace: string,
  deployment: Deployment,
  { configuration, now }: ProgramsContext,
): Promise<Finding[]> {
  const host = hostOf(configuration)
  const account = { namespace, serviceAccount: accountOf(deployment), program: 'the coordinator' }
  return [
    ...(configuration !== undefined && host === undefined
      ? [
          findings.warn(
            `Deployment ${namespace}/${deployment.metadata.name}`,
            "serves no pod, because the administrator's file names no coordinator",
            "add `coordinator` to the administrator's file",
          ),
        ]
      : []),
    ...(await checkCoordinatorCertificate(reader, namespace, deployment, {
      ...{ host, trusted: configuration?.coordinator?.caCertificates, now },
    })),
    ...(await checkPermissions(reader, account, keyPaths)),
  ]
}

const accountOf = ({ spec }: Deployment): string => spec.template.spec.serviceAccountName ?? 'default'
