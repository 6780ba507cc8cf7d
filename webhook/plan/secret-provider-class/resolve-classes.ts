import { didYouMean, quote } from '../../../shared/messages.ts'
import type { Configuration } from '../../configuration/configuration.ts'
import {
  accountProblems,
  adfsProblems,
  clientIdGap,
  nonEmpty,
  tenantIdGap,
  unknownCloud,
  unknownUrl,
  type ObjectIdentity,
  type PodIdentity,
  type PodAccount,
} from '../identity.ts'
import type { PlanContext } from '../context.ts'
import type { RequestedObject } from '../objects.ts'
import { resolveVault } from '../vault-rules.ts'
import { largestSpec, type FoundClass } from './found-class.ts'
import { readClass, type SecretProviderClass } from './read-class.ts'

/** The context of a plan, with the identity that applies if a class has none. */
export interface ClassContext extends PlanContext {
  identity: PodIdentity
  account: PodAccount
  /** Names of classes in the pod's namespace, for suggestions. */
  knownClasses: readonly string[]
}

/** The objects of all classes that a pod names. */
export interface ClassObjects {
  /** Each with the vault and the identity of its class, even if those have problems. */
  objects: RequestedObject[]
  /** Whether the objects of every class could be read. */
  complete: boolean
}

/**
 * Returns the objects of the classes that a pod names.
 * @param classes of the cluster, by name
 */
export function resolveClasses(context: ClassContext, classes: ReadonlyMap<string, FoundClass>): ClassObjects {
  const { values, diagnostics } = context
  const found = [...new Set(values['secret-provider-class'])].map(
    (name) => [name, classes.get(name) ?? 'absent'] as const,
  )
  if (found.some(([, one]) => one === 'unknown-kind')) {
    diagnostics.problem(
      'secret-provider-class',
      'the cluster has no SecretProviderClasses: the CustomResourceDefinition secretproviderclasses.secrets-store.csi.x-k8s.io (v1) is not installed; install it, or use the annotation azure.keyvault.injector/objects',
    )
    return { objects: [], complete: false }
  }
  const read = found.map(([name, one]) => resolveClass(name, one, context))
  return { objects: read.flatMap((objects) => objects ?? []), complete: !read.includes(undefined) }
}

/** Returns a class's objects, or undefined if not all of them could be read. */
function resolveClass(name: string, found: FoundClass, context: ClassContext): RequestedObject[] | undefined {
  const { namespace, diagnostics } = context
  const where = `SecretProviderClass ${quote(name)}`
  if (typeof found === 'string') {
    const text =
      found === 'too-large'
        ? `${where}: the spec is larger than ${largestSpec / 1024} KiB: split its objects into several classes, and name all of them in the annotation azure.keyvault.injector/secret-provider-class`
        : `there is no ${where} in namespace ${quote(namespace.name)}${didYouMean(name, context.knownClasses)}: create it there, or correct the annotation; a class must be in the pod's own namespace`
    diagnostics.problem('secret-provider-class', text)
    return undefined
  }
  const { value, objects, problems, warnings } = found.reading ?? readClass(name, found.spec)
  diagnostics.problem('secret-provider-class', ...problems)
  for (const warning of warnings) diagnostics.warn('secret-provider-class', warning)
  const { identity, vault } = value
    ? resolveParameters(value, where, context)
    : { identity: context.identity, vault: unknownUrl }
  return objects?.map((object) => ({ object: { ...object, vault }, identity, source: where }))
}

function resolveParameters(
  read: SecretProviderClass,
  where: string,
  context: ClassContext,
): { identity: ObjectIdentity; vault: string } {
  const { configuration, namespace, diagnostics } = context
  const identity = resolveClassIdentity(read, where, context)
  if (read.unreadable.has('vault')) return { identity, vault: unknownUrl }
  const vault = resolveVault(read.vault, identity, namespace.name, configuration)
  if (vault.ok) return { identity, vault: vault.value }
  diagnostics.problem(vault.reason, ...vault.problems.map((problem) => `${where}: ${problem}`))
  return { identity, vault: unknownUrl }
}

/** Returns the identity that fetches the class's objects: the class's own, completed from the pod's. */
function resolveClassIdentity(read: SecretProviderClass, where: string, context: ClassContext): ObjectIdentity {
  const { diagnostics } = context
  const { cloudName, cloud } = resolveCloud(read, where, context)
  const named = read.unreadable.has('mode')
    ? nonEmpty({ clientId: read.clientId, tenantId: read.tenantId })
    : read.node
      ? resolveNode(read, where, context)
      : resolvePod(read, where, context)
  diagnostics.problem('no-identity', ...adfsProblems(named.tenantId, cloud).map((problem) => `${where}: ${problem}`))
  return { cloudName, cloud, ...named }
}

function resolveCloud(
  { cloudName }: SecretProviderClass,
  where: string,
  { identity, configuration, diagnostics }: ClassContext,
): Pick<ObjectIdentity, 'cloudName' | 'cloud'> {
  if (cloudName === undefined) return identity
  const known = cloudNamed(cloudName, configuration)
  const cloud = configuration.clouds[known ?? '']
  if (known !== undefined && cloud !== undefined) return { cloudName: known, cloud }
  diagnostics.problem(
    'secret-provider-class',
    `${where}: cloudName ${quote(cloudName)}: ${noCloud(cloudName, configuration)}`,
  )
  return { cloudName, cloud: unknownCloud }
}

type Named = Pick<ObjectIdentity, 'clientId' | 'tenantId' | 'mode'>

/** Every pod on a node has the node's identity, so the administrator decides whether it may be used. */
function resolveNode({ clientId, tenantId }: SecretProviderClass, where: string, context: ClassContext): Named {
  const { configuration, diagnostics } = context
  if (!configuration.allowNodeIdentity) {
    diagnostics.problem(
      'secret-provider-class',
      `${where}: useVMManagedIdentity: the node's identity is not allowed, because every pod on the node has it: remove the parameter and set clientID to sign in with workload identity, or have the administrator set allowNodeIdentity`,
    )
  } else {
    const whose = clientId === undefined ? "the node's own identity" : `the node's identity ${clientId}`
    diagnostics.warn(
      'node-identity',
      `set clientID in ${where} to sign in with workload identity: its objects are fetched as ${whose}, which every pod on the node has`,
    )
  }
  return { ...nonEmpty({ clientId, tenantId }), mode: 'node' }
}

function resolvePod(read: SecretProviderClass, where: string, context: ClassContext): Named {
  const { identity, account, configuration, diagnostics } = context
  const clientId = read.clientId ?? identity.clientId
  const tenantId = read.tenantId ?? identity.tenantId
  if (identity.mode === 'identity-binding') return { ...nonEmpty({ clientId, tenantId }), mode: identity.mode }
  if (read.tokenProxy) {
    diagnostics.problem(
      'secret-provider-class',
      `${where}: useAzureTokenProxy needs an identity binding: set the pod's annotation azure.workload.identity/use-identity-binding to "true", or remove the parameter`,
    )
  }
  if (clientId === undefined && !read.unreadable.has('clientId')) {
    const text = `${where}: no clientID, and ${clientIdGap(account)}: set clientID to that of a workload identity, even if the class was written for another way to sign in, such as a service principal`
    if (configuration.missingClientId === 'deny') diagnostics.problem('no-identity', text)
    else diagnostics.warn('no-client-id', `set clientID in ${where}: there is none to sign in with`)
  }
  const wrong = [...accountProblems('client-id', clientId, account), ...accountProblems('tenant-id', tenantId, account)]
  diagnostics.problem('no-identity', ...wrong.map((problem) => `${where}: ${problem}`))
  if (tenantId === undefined && !read.unreadable.has('tenantId'))
    diagnostics.problem('no-identity', `${where}: no tenantID, and ${tenantIdGap(account)}`)
  return nonEmpty({ clientId, tenantId })
}

/** Other cloud names that the provider accepts. {@link https://github.com/Azure/go-autorest/blob/main/autorest/azure/environments.go} */
const aliases: Readonly<Record<string, string>> = {
  azurecloud: 'AzurePublicCloud',
  azureusgovernment: 'AzureUSGovernmentCloud',
}

/** Cloud names ignore case, as in the provider. */
function cloudNamed(name: string, { clouds }: Configuration): string | undefined {
  const wanted = (aliases[name.toLowerCase()] ?? name).toLowerCase()
  return Object.keys(clouds).find((known) => known.toLowerCase() === wanted)
}

function noCloud(name: string, { clouds }: Configuration): string {
  const known = Object.keys(clouds)
  switch (name.toLowerCase()) {
    case 'azuregermancloud':
      return 'this cloud was closed in 2021: use the public one'
    case 'azurestackcloud':
      return `cloudEnvFileName is not read: have the administrator describe the cloud under clouds in the injector's configuration, and name it here; known are ${known.join(', ')}`
    default:
      return `there is no such cloud${didYouMean(name, known)}; known are ${known.join(', ')}`
  }
}
