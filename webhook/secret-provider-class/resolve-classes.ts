import { didYouMean, quote } from '../../shared/suggest.ts'
import type { Configuration } from '../configuration.ts'
import {
  accountProblems,
  adfsProblems,
  clientIdGap,
  filled,
  tenantIdGap,
  unknownCloud,
  unknownUrl,
  type Party,
  type PodIdentity,
  type Whereabouts,
} from '../identity.ts'
import type { Notes } from '../reasons.ts'
import { resolveVault, type AskedObject } from '../vaults.ts'
import { readClass, type ClassReading, type SecretProviderClass } from './read-class.ts'

export interface ClassSpec {
  spec: unknown
  /** The object's uid and resource version: while it stays, so does the `spec`. */
  version?: string
  /** What has been read of it already. */
  reading?: ClassReading
}

/** Bytes of JSON of the largest `spec` that is read. */
export const largestSpec = 256 * 1024

/** A SecretProviderClass; or there is none of the name, its `spec` is not read for its size, or the cluster does not know the kind at all. */
export type FoundClass = ClassSpec | 'absent' | 'too-large' | 'unknown-kind'

/** What a class's objects are decided by, beside the class. */
export interface ClassContext {
  /** Stands in for what a class leaves out. */
  identity: PodIdentity
  whereabouts: Whereabouts
  configuration: Configuration
  notes: Notes
}

/** The objects of all classes that a pod names. */
export interface ClassObjects {
  /** Each with the vault and the identity of its class; they are there whatever is wrong with those. */
  asked: AskedObject[]
  /** Whether the objects of every class could be read. */
  complete: boolean
}

/**
 * Finds the objects of the classes that a pod names.
 * @param classes by name, as the cluster has them
 */
export function resolveClasses(
  names: readonly string[],
  classes: ReadonlyMap<string, FoundClass>,
  context: ClassContext,
): ClassObjects {
  const { notes } = context
  const found = [...new Set(names)].map((name) => [name, classes.get(name) ?? 'absent'] as const)
  if (found.some(([, one]) => one === 'unknown-kind')) {
    notes.problem('secret-provider-class', 'the cluster has no SecretProviderClasses: the CustomResourceDefinition secretproviderclasses.secrets-store.csi.x-k8s.io (v1) is not installed; install it, or use the annotation azure.keyvault.injector/objects') // prettier-ignore
    return { asked: [], complete: false }
  }
  const read = found.map(([name, one]) => resolveClass(name, one, context))
  return { asked: read.flatMap((objects) => objects ?? []), complete: !read.includes(undefined) }
}

/** A class's objects, or nothing where they could not all be read. */
function resolveClass(name: string, found: FoundClass, context: ClassContext): AskedObject[] | undefined {
  const { whereabouts, notes } = context
  const where = `SecretProviderClass ${quote(name)}`
  if (typeof found === 'string') {
    const text =
      found === 'too-large'
        ? `${where}: the spec is larger than ${largestSpec / 1024} KiB: divide its objects among several classes, and name all of them in the annotation azure.keyvault.injector/secret-provider-class`
        : `there is no ${where} in namespace ${quote(whereabouts.namespace)}`
    notes.problem('secret-provider-class', text)
    return undefined
  }
  const { value, objects, problems, warnings } = found.reading ?? readClass(name, found.spec)
  notes.problem('secret-provider-class', ...problems)
  for (const warning of warnings) notes.warn('secret-provider-class', warning)
  const { party, vault } = value
    ? resolveParameters(value, where, context)
    : { party: context.identity, vault: unknownUrl }
  return objects?.map((object) => ({ object: { ...object, vault }, party, source: where }))
}

function resolveParameters(
  read: SecretProviderClass,
  where: string,
  context: ClassContext,
): { party: Party; vault: string } {
  const { configuration, whereabouts, notes } = context
  const party = resolveParty(read, where, context)
  if (read.unreadable.has('vault')) return { party, vault: unknownUrl }
  const vault = resolveVault(read.vault, party.cloud, whereabouts.namespace, configuration)
  if (vault.ok) return { party, vault: vault.value }
  notes.problem(vault.reason, ...vault.problems.map((problem) => `${where}: ${problem}`))
  return { party, vault: unknownUrl }
}

/** Who the class's objects are asked for as: what it says, then what holds for the pod. */
function resolveParty(read: SecretProviderClass, where: string, context: ClassContext): Party {
  const { notes } = context
  const { cloudName, cloud } = resolveCloud(read, where, context)
  const named = read.unreadable.has('mode')
    ? filled({ clientId: read.clientId, tenantId: read.tenantId })
    : read.node
      ? resolveNode(read, where, context)
      : resolvePod(read, where, context)
  notes.problem('no-identity', ...adfsProblems(named.tenantId, cloud).map((problem) => `${where}: ${problem}`))
  return { cloudName, cloud, ...named }
}

function resolveCloud(
  { cloudName }: SecretProviderClass,
  where: string,
  { identity, configuration, notes }: ClassContext,
): Pick<Party, 'cloudName' | 'cloud'> {
  if (cloudName === undefined) return identity
  const known = cloudNamed(cloudName, configuration)
  const cloud = configuration.clouds[known ?? '']
  if (known !== undefined && cloud !== undefined) return { cloudName: known, cloud }
  notes.problem(
    'secret-provider-class',
    `${where}: cloudName ${quote(cloudName)}: ${noCloud(cloudName, configuration)}`,
  )
  return { cloudName, cloud: unknownCloud }
}

type Named = Pick<Party, 'clientId' | 'tenantId' | 'mode'>

/** The node's identity is every pod's on it, so the administrator decides whether it may be used. */
function resolveNode({ clientId, tenantId }: SecretProviderClass, where: string, context: ClassContext): Named {
  const { configuration, notes } = context
  if (!configuration.allowNodeIdentity) {
    notes.problem('secret-provider-class', `${where}: useVMManagedIdentity: the node's identity is not used, because every pod of the node has it; pods sign in by workload identity here: take the parameter out and set clientID, or have the administrator set allowNodeIdentity`) // prettier-ignore
  } else {
    const whose = clientId === undefined ? "the node's own identity" : `the node's identity ${clientId}`
    notes.warn('node-identity', `${where}: asks as ${whose}, which every pod there has`)
  }
  return { ...filled({ clientId, tenantId }), mode: 'node' }
}

function resolvePod(read: SecretProviderClass, where: string, context: ClassContext): Named {
  const { identity, whereabouts, configuration, notes } = context
  const clientId = read.clientId ?? identity.clientId
  const tenantId = read.tenantId ?? identity.tenantId
  if (identity.mode === 'identity-binding') return { ...filled({ clientId, tenantId }), mode: identity.mode }
  if (read.tokenProxy) {
    notes.problem('secret-provider-class', `${where}: useAzureTokenProxy needs an identity binding: set the pod's annotation azure.workload.identity/use-identity-binding to "true", or take the parameter out`) // prettier-ignore
  }
  if (clientId === undefined && !read.unreadable.has('clientId')) {
    const text = `${where}: no clientID, and ${clientIdGap(whereabouts)}: a class written for another way to sign in, such as a service principal, needs the clientID of a workload identity` // prettier-ignore
    if (configuration.missingClientId === 'deny') notes.problem('no-identity', text)
    else notes.warn('no-client-id', `${where}: no clientID`)
  }
  const wrong = [
    ...accountProblems('client-id', clientId, whereabouts),
    ...accountProblems('tenant-id', tenantId, whereabouts),
  ]
  notes.problem('no-identity', ...wrong.map((problem) => `${where}: ${problem}`))
  if (tenantId === undefined && !read.unreadable.has('tenantId'))
    notes.problem('no-identity', `${where}: no tenantID, and ${tenantIdGap(whereabouts)}`)
  return filled({ clientId, tenantId })
}

/** Other names of clouds that the provider takes. {@link https://github.com/Azure/go-autorest/blob/main/autorest/azure/environments.go} */
const aliases: Readonly<Record<string, string>> = { azurecloud: 'AzurePublicCloud', azureusgovernment: 'AzureUSGovernmentCloud' } // prettier-ignore

/** The provider ignores case. */
function cloudNamed(name: string, { clouds }: Configuration): string | undefined {
  const wanted = (aliases[name.toLowerCase()] ?? name).toLowerCase()
  return Object.keys(clouds).find((known) => known.toLowerCase() === wanted)
}

function noCloud(name: string, { clouds }: Configuration): string {
  const known = Object.keys(clouds)
  switch (name.toLowerCase()) {
    case 'azuregermancloud':
      return 'this cloud was closed in 2021; use the public one'
    case 'azurestackcloud':
      return `no file of a node (cloudEnvFileName) is read; have the administrator describe the cloud in the injector's configuration, and name it here: known are ${known.join(', ')}` // prettier-ignore
    default:
      return `there is no such cloud${didYouMean(name, known)}; known are ${known.join(', ')}`
  }
}
