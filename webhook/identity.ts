import { annotations } from '../shared/annotations.ts'
import { builtInClouds, type Cloud } from '../shared/clouds.ts'
import type { Identity } from '../shared/settings.ts'
import { didYouMean, quote } from '../shared/suggest.ts'
import { isAdfs } from '../shared/tenant.ts'
import type { Configuration } from './configuration.ts'
import type { Pod } from './pod/pod.ts'
import type { Notes } from './reasons.ts'
import type { Values } from './values.ts'

/** What is kept of a ServiceAccount. */
export interface ServiceAccount {
  annotations: Record<string, string>
}

/** Who asks a vault, and where that vault and its tokens are. */
export interface Party {
  cloudName: string
  cloud: Cloud
  tenantId?: string
  clientId?: string
  /** How it signs in, where not with the pod's own token at the authority. */
  mode?: Identity['mode']
}

/**
 * Who the pod's sidecar signs in as, unless an object says otherwise. With the mode `identity-binding` (AKS's) variables and token
 * are the workload identity webhook's.
 */
export interface PodIdentity extends Party {
  /** Life of the projected token in seconds. */
  tokenLifetime: number
}

/** In place of a URL that cannot be told. The pod is refused then, and nobody but those who look for its other problems sees it. */
export const unknownUrl = ''
/** The same for a cloud that nobody knows. */
export const unknownCloud: Cloud = { authorityHost: unknownUrl, vaultSuffix: "<the cloud's suffix>" }

const clientIdAnnotation = 'azure.workload.identity/client-id'
const tenantIdAnnotation = 'azure.workload.identity/tenant-id'
const bindingAnnotation = 'azure.workload.identity/use-identity-binding'
const lifetimeAnnotation = 'azure.workload.identity/service-account-token-expiration'

/** Where a pod runs and as whom. */
export interface Whereabouts {
  namespace: string
  /** The ServiceAccount's name. */
  accountName: string
  serviceAccount: ServiceAccount | undefined
}

/**
 * Finds out who the pod signs in as, from its annotations, its ServiceAccount and the administrator's file.
 * @param needed whether some object has no identity of its own: what is missing then is a problem
 */
export function resolveIdentity(
  pod: Pod,
  whereabouts: Whereabouts,
  values: Values,
  configuration: Configuration,
  notes: Notes,
  needed: boolean,
): PodIdentity {
  const { serviceAccount } = whereabouts
  const onPod = pod.metadata?.annotations ?? {}
  const onAccount = serviceAccount?.annotations ?? {}
  const cloudName = values.cloud
  const cloud = (Object.hasOwn(configuration.clouds, cloudName) && configuration.clouds[cloudName]) || unknownCloud
  if (cloud === unknownCloud) {
    const known = Object.keys(configuration.clouds)
    notes.problem('bad-annotation', `annotation azure.keyvault.injector/cloud: there is no cloud ${quote(cloudName)}${didYouMean(cloudName, known)}; known are ${known.join(', ')}`) // prettier-ignore
  }
  const tokenLifetime = lifetime(onPod[lifetimeAnnotation] ?? onAccount[lifetimeAnnotation])
  const named = { clientId: values['client-id'], tenantId: values['tenant-id'] }
  if (onPod[bindingAnnotation] === 'true')
    return { cloudName, cloud, ...filled(named), mode: 'identity-binding', tokenLifetime }

  const clientId = named.clientId ?? ofAccount('client-id', whereabouts)
  const tenantId = named.tenantId ?? ofAccount('tenant-id', whereabouts) ?? configuration.tenantId
  if (!clientId && needed) {
    if (configuration.missingClientId === 'deny')
      notes.problem('no-identity', `no client id: ${clientIdGap(whereabouts)}`)
    else notes.warn('no-client-id', `no client id: ${accountOf(whereabouts)} has no annotation ${clientIdAnnotation}`)
  }
  if (!tenantId && needed) notes.problem('no-identity', `no tenant id: ${tenantIdGap(whereabouts)}`)
  if (needed) {
    notes.problem('no-identity', ...adfsProblems(tenantId, cloud))
    notes.problem('no-identity', ...accountProblems('client-id', clientId, whereabouts))
    notes.problem('no-identity', ...accountProblems('tenant-id', tenantId, whereabouts))
  }
  return { cloudName, cloud, ...filled({ clientId, tenantId }), tokenLifetime }
}

/** In place of an id that cannot be read: the pod is refused then, and a missing id is not reported beside it. */
const unreadableId = 'unreadable'

type Id = 'client-id' | 'tenant-id'

/** What the ServiceAccount says, checked and trimmed as the annotation of the same name on a pod is. */
function ofAccount(name: Id, whereabouts: Whereabouts): string | undefined {
  const text = whereabouts.serviceAccount?.annotations[`azure.workload.identity/${name}`]?.trim()
  if (!text) return undefined
  const parsed = annotations[name].parse(text)
  return parsed.ok ? parsed.value : unreadableId
}

/** What is wrong with an id of the ServiceAccount that is used. */
export function accountProblems(name: Id, used: string | undefined, whereabouts: Whereabouts): string[] {
  if (used !== unreadableId) return []
  const annotation = `azure.workload.identity/${name}`
  const text = whereabouts.serviceAccount?.annotations[annotation]?.trim() ?? ''
  const parsed = annotations[name].parse(text)
  const problems = parsed.ok ? [] : parsed.problems
  return problems.map((problem) => `${accountOf(whereabouts)}: annotation ${annotation} ${quote(text)}: ${problem}`)
}

/** What has a text in it. */
export const filled = ({ clientId, tenantId }: Record<'clientId' | 'tenantId', string | undefined>) => ({
  ...(tenantId ? { tenantId } : {}),
  ...(clientId ? { clientId } : {}),
})

/** Public clouds have no AD FS: who asks there has forgotten to name the cloud. */
export function adfsProblems(tenantId: string | undefined, { authorityHost }: Cloud): string[] {
  const isPublic = Object.values(builtInClouds).some((cloud) => cloud.authorityHost === authorityHost)
  if (tenantId === undefined || !isAdfs(tenantId) || !isPublic) return []
  return [`the tenant "adfs" is that of Azure Stack Hub with AD FS, and ${authorityHost} has none: name the cloud that the administrator's configuration has for it`] // prettier-ignore
}

const accountOf = ({ accountName, namespace }: Whereabouts): string =>
  `ServiceAccount "${accountName}" in namespace "${namespace}"`

/** Where a client id could stand and does not. */
export const clientIdGap = (whereabouts: Whereabouts): string =>
  `${accountOf(whereabouts)} ${whereabouts.serviceAccount === undefined ? 'does not exist' : `has no annotation ${clientIdAnnotation}`}, and the pod has no annotation azure.keyvault.injector/client-id` // prettier-ignore

/** Where a tenant id could stand and does not. */
export const tenantIdGap = (whereabouts: Whereabouts): string =>
  `the administrator's configuration has no tenantId, ${accountOf(whereabouts)} no annotation ${tenantIdAnnotation}, and the pod no annotation azure.keyvault.injector/tenant-id` // prettier-ignore

/** 3600 to 86400 seconds, as the workload identity webhook takes it; an hour where the text says nothing else. */
function lifetime(text: string | undefined): number {
  const seconds = Number(text)
  return Number.isInteger(seconds) && seconds >= 3600 && seconds <= 86400 ? seconds : 3600
}

/** The entry of the settings' identities. With an identity binding the pod's environment says the rest. */
export const settingsIdentity = ({ cloudName, tenantId, clientId, mode }: Party): Identity => ({
  cloud: cloudName,
  ...filled({ clientId, tenantId }),
  ...(mode === undefined ? {} : { mode }),
})
