import { annotations } from '../../shared/annotations/table.ts'
import { builtInClouds, type Cloud } from '../../shared/clouds/clouds.ts'
import type { Identity } from '../../shared/settings/codec.ts'
import { didYouMean, quote } from '../../shared/messages.ts'
import { isAdfs } from '../../shared/clouds/tenant.ts'
import { serviceAccountName } from '../pod/pod.ts'
import type { PlanContext } from './context.ts'
import type { ServiceAccount } from './inputs.ts'

/** The identity that requests an object, and the cloud of its vault and tokens. */
export interface ObjectIdentity {
  cloudName: string
  cloud: Cloud
  tenantId?: string
  clientId?: string
  /** How it signs in; absent if the authority exchanges the pod's own token. */
  mode?: Identity['mode']
}

/**
 * The identity that the sidecar signs in as, unless an object has its own. In the mode `identity-binding` (AKS), the workload identity
 * webhook provides variables and token.
 */
export interface PodIdentity extends ObjectIdentity {
  /** Lifetime of the projected token in seconds. */
  tokenLifetime: number
}

/** Placeholder for a URL that could not be resolved. The pod is denied anyway; only the checks for further problems see it. */
export const unknownUrl = ''
/** Placeholder for an unknown cloud. */
export const unknownCloud: Cloud = { authorityHost: unknownUrl, vaultSuffix: "<the cloud's suffix>" }

const clientIdAnnotation = 'azure.workload.identity/client-id'
const tenantIdAnnotation = 'azure.workload.identity/tenant-id'
const bindingAnnotation = 'azure.workload.identity/use-identity-binding'
const lifetimeAnnotation = 'azure.workload.identity/service-account-token-expiration'

/** The ServiceAccount that a pod runs as. */
export interface PodAccount {
  namespace: string
  name: string
  /** Undefined if it does not exist. */
  serviceAccount: ServiceAccount | undefined
}

export const accountOf = (
  { pod, namespace }: Pick<PlanContext, 'pod' | 'namespace'>,
  serviceAccount: ServiceAccount | undefined,
): PodAccount => ({ namespace: namespace.name, name: serviceAccountName(pod), serviceAccount })

/**
 * Returns the identity that the pod signs in as, from its annotations, its ServiceAccount and the administrator's configuration.
 * @param needed whether an object uses this identity: only then is a missing client or tenant ID a problem
 */
export function resolveIdentity(
  { pod, values, configuration, diagnostics }: PlanContext,
  account: PodAccount,
  needed: boolean,
): PodIdentity {
  const { serviceAccount } = account
  const onPod = pod.metadata?.annotations ?? {}
  const onAccount = serviceAccount?.annotations ?? {}
  const cloudName = values.cloud
  const cloud = (Object.hasOwn(configuration.clouds, cloudName) && configuration.clouds[cloudName]) || unknownCloud
  if (cloud === unknownCloud) {
    const known = Object.keys(configuration.clouds)
    diagnostics.problem(
      'bad-annotation',
      `annotation azure.keyvault.injector/cloud: there is no cloud ${quote(cloudName)}${didYouMean(cloudName, known)}; known are ${known.join(', ')}`,
    )
  }
  const tokenLifetime = lifetime(onPod[lifetimeAnnotation] ?? onAccount[lifetimeAnnotation])
  const named = { clientId: values['client-id'], tenantId: values['tenant-id'] }
  if (onPod[bindingAnnotation] === 'true')
    return { cloudName, cloud, ...nonEmpty(named), mode: 'identity-binding', tokenLifetime }

  const clientId = named.clientId ?? ofAccount('client-id', account)
  const tenantId = named.tenantId ?? ofAccount('tenant-id', account) ?? configuration.tenantId
  if (!clientId && needed) {
    if (configuration.missingClientId === 'deny')
      diagnostics.problem('no-identity', `no client ID: ${clientIdGap(account)}; annotate one of them`)
    else
      diagnostics.warn(
        'no-client-id',
        `annotate ${accountText(account)} with ${clientIdAnnotation}: there is no client ID to sign in with`,
      )
  }
  if (!tenantId && needed) diagnostics.problem('no-identity', `no tenant ID: ${tenantIdGap(account)}; set one of them`)
  if (needed) {
    diagnostics.problem('no-identity', ...adfsProblems(tenantId, cloud))
    diagnostics.problem('no-identity', ...accountProblems('client-id', clientId, account))
    diagnostics.problem('no-identity', ...accountProblems('tenant-id', tenantId, account))
  }
  return { cloudName, cloud, ...nonEmpty({ clientId, tenantId }), tokenLifetime }
}

/** Placeholder for an invalid ID. The pod is denied for it, without also reporting a missing ID. */
const unreadableId = 'unreadable'

type Id = 'client-id' | 'tenant-id'

/** Returns the ServiceAccount's ID, checked and trimmed like the pod annotation of the same name. */
function ofAccount(name: Id, account: PodAccount): string | undefined {
  const text = account.serviceAccount?.annotations[`azure.workload.identity/${name}`]?.trim()
  if (!text) return undefined
  const parsed = annotations[name].parse(text)
  return parsed.ok ? parsed.value : unreadableId
}

/** Returns the problems of an ID if it is the ServiceAccount's and invalid. */
export function accountProblems(name: Id, used: string | undefined, account: PodAccount): string[] {
  if (used !== unreadableId) return []
  const annotation = `azure.workload.identity/${name}`
  const text = account.serviceAccount?.annotations[annotation]?.trim() ?? ''
  const parsed = annotations[name].parse(text)
  const problems = parsed.ok ? [] : parsed.problems
  return problems.map((problem) => `${accountText(account)}: annotation ${annotation} ${quote(text)}: ${problem}`)
}

/** Omits IDs that are missing or empty. */
export const nonEmpty = ({ clientId, tenantId }: Record<'clientId' | 'tenantId', string | undefined>) => ({
  ...(tenantId ? { tenantId } : {}),
  ...(clientId ? { clientId } : {}),
})

/** Returns a problem if the tenant is AD FS in a public cloud, which has none: the annotation `cloud` is missing. */
export function adfsProblems(tenantId: string | undefined, { authorityHost }: Cloud): string[] {
  const isPublic = Object.values(builtInClouds).some((cloud) => cloud.authorityHost === authorityHost)
  if (tenantId === undefined || !isAdfs(tenantId) || !isPublic) return []
  return [
    `the tenant "adfs" belongs to Azure Stack Hub with AD FS, which ${authorityHost} does not have: set the annotation cloud to the one that the administrator's configuration has for it`,
  ]
}

const accountText = ({ name, namespace }: PodAccount): string => `ServiceAccount "${name}" in namespace "${namespace}"`

/** Describes every place that lacks a client ID. */
export const clientIdGap = (account: PodAccount): string =>
  `${accountText(account)} ${account.serviceAccount === undefined ? 'does not exist' : `has no annotation ${clientIdAnnotation}`}, and the pod has no annotation azure.keyvault.injector/client-id`

/** Describes every place that lacks a tenant ID. */
export const tenantIdGap = (account: PodAccount): string =>
  `the administrator's configuration has no tenantId, ${accountText(account)} has no annotation ${tenantIdAnnotation}, and the pod has no annotation azure.keyvault.injector/tenant-id`

/** Returns 3600 to 86400 seconds, the range of the workload identity webhook; 3600 if the text is absent or invalid. */
function lifetime(text: string | undefined): number {
  const seconds = Number(text)
  return Number.isInteger(seconds) && seconds >= 3600 && seconds <= 86400 ? seconds : 3600
}

/** Returns an identity as the settings hold it. With an identity binding, the pod's environment provides the rest. */
export const settingsIdentity = ({ cloudName, tenantId, clientId, mode }: ObjectIdentity): Identity => ({
  cloud: cloudName,
  ...nonEmpty({ clientId, tenantId }),
  ...(mode === undefined ? {} : { mode }),
})
