import { checkCertificate } from './certificate.ts'
import { checkConfiguration } from './configuration.ts'
import { checkDryRun } from './dry-run.ts'
import { findingsOf, type Finding } from './finding.ts'
import { checkHalves } from './halves.ts'
import { findInstallation, isFinding, type Installation } from './installation.ts'
import { enabledNamespaces, judgeNamespaces, labelValuesOf, readNamespaces } from './namespaces.ts'
import { checkPermissions, neededPermissions } from './permissions.ts'
import { checkPod } from './pod.ts'
import { checkPolicies } from './policies.ts'
import { checkPrograms } from './programs.ts'
import { UnreachableError, type Read, type Reader } from './reader.ts'
import { entriesOf, judgeRegistrations, readRegistrations } from './registrations.ts'
import { judgeVersions, readNodes } from './versions.ts'
import { fail, ok, type Result } from '../../shared/result.ts'

export interface CheckOptions {
  /** The namespace of the installation; without it, the cluster is searched. */
  systemNamespace: string | undefined
  /** A namespace whose label is checked, in which the dry run is, and which has the pod. */
  namespace: string | undefined
  /** The name of a pod: only this pod is checked. */
  pod: string | undefined
  /** The vault of the dry run's pod. */
  vault: string
  /** The version of this command. */
  version: string
  /** Milliseconds since 1970. */
  now: number
}

/**
 * Checks an installation, or one pod. A failure is one of the command itself: the API server cannot be reached, or there
 * are several installations.
 */
export async function check(reader: Reader, options: CheckOptions): Promise<Result<Finding[]>> {
  try {
    const apiServer = await readVersion(reader)
    const installation = await findInstallation(reader, options.systemNamespace)
    if (!installation.ok) return installation
    const found = isFinding(installation.value) ? undefined : installation.value
    if (options.pod !== undefined)
      return ok(await checkPod(reader, found, options.namespace ?? 'default', options.pod, options.now))
    return ok(
      isFinding(installation.value)
        ? [installation.value]
        : await checkInstallation(reader, installation.value, apiServer, options),
    )
  } catch (error) {
    if (error instanceof UnreachableError) return fail(error.message)
    throw error
  }
}

/** The version of the API server, which also shows that there is one. @throws UnreachableError */
async function readVersion(reader: Reader): Promise<string | undefined> {
  const read = await reader.get<{ gitVersion?: string }>('/version', { gitVersion: true })
  if (read.kind === 'unread' && read.status === undefined) throw new UnreachableError(read.reason)
  return read.kind === 'found' ? read.value.gitVersion : undefined
}

async function checkInstallation(
  reader: Reader,
  installation: Installation,
  apiServer: string | undefined,
  { namespace, vault, version, now }: CheckOptions,
): Promise<Finding[]> {
  const registrations = await readRegistrations(reader, installation)
  const entries = entriesOf(registrations)
  const values = labelValuesOf(entries)
  const [halves, certificate, permissions, policies, namespaces, nodes, { findings, configuration }] =
    await Promise.all([
      checkHalves(reader, installation),
      checkCertificate(reader, installation, entries, now),
      checkPermissions(reader, { ...installation, program: 'the webhook' }, neededPermissions(installation)),
      checkPolicies(reader, apiServer),
      readNamespaces(reader),
      readNodes(reader),
      checkConfiguration(reader, installation),
    ])
  const enabled = namespaces.kind === 'found' ? enabledNamespaces(namespaces.value, values) : []
  const place = namespace ?? enabled[0]
  const isPossible = place !== undefined && (namespaces.kind !== 'found' || enabled.includes(place))
  return [
    findingsOf('installation').ok(`namespace ${installation.namespace}`, 'contains the injector'),
    ...halves,
    ...judgeRegistrations(installation, registrations),
    ...certificate,
    ...permissions,
    ...policies,
    ...(await checkPrograms(reader, installation, { version: apiServer, configuration, now })),
    ...judgeNamespaces(installation, namespaces, values, namespace),
    ...findings,
    ...judgeVersions(installation, apiServer, nodes),
    ...(isPossible
      ? await checkDryRun(reader, installation, { namespace: place, vault, version, configuration })
      : [leaveOutDryRun(namespace, namespaces)]),
  ]
}

/** Says why no pod is tried. @param wanted the namespace that the caller named */
function leaveOutDryRun(wanted: string | undefined, { kind }: Read<unknown>): Finding {
  const { warn } = findingsOf('dry-run')
  if (wanted !== undefined)
    return warn(
      `a pod in namespace ${wanted}`,
      'is not tried, because it would not be injected',
      'see the findings about namespaces',
    )
  return kind === 'found'
    ? warn('a pod', 'is not tried, because no namespace is labeled for injection', 'label a namespace')
    : warn('a pod', 'is not tried, because namespaces cannot be read', 'name a labeled one with --namespace')
}
