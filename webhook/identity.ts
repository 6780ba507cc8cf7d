import type { Cloud } from '../shared/clouds.ts'
import type { Identity } from '../shared/settings.ts'
import { didYouMean, quote } from '../shared/suggest.ts'
import type { Configuration } from './configuration.ts'
import { serviceAccountName, type Pod } from './pod/pod.ts'
import type { Notes } from './reasons.ts'
import type { Values } from './values.ts'

/** What is kept of a ServiceAccount. */
export interface ServiceAccount {
  annotations: Record<string, string>
}

/** Who the pod's sidecar signs in as. */
export interface PodIdentity {
  cloudName: string
  cloud: Cloud
  tenantId?: string
  clientId?: string
  /** AKS's identity binding: variables and token are the workload identity webhook's. */
  binding: boolean
  /** Life of the projected token in seconds. */
  tokenLifetime: number
}

const clientIdAnnotation = 'azure.workload.identity/client-id'
const tenantIdAnnotation = 'azure.workload.identity/tenant-id'
const bindingAnnotation = 'azure.workload.identity/use-identity-binding'
const lifetimeAnnotation = 'azure.workload.identity/service-account-token-expiration'

/** Finds out who the pod signs in as, from its annotations, its ServiceAccount and the administrator's file. */
export function resolveIdentity(
  pod: Pod,
  namespace: string,
  serviceAccount: ServiceAccount | undefined,
  values: Values,
  configuration: Configuration,
  notes: Notes,
): PodIdentity | undefined {
  const onPod = pod.metadata?.annotations ?? {}
  const onAccount = serviceAccount?.annotations ?? {}
  const cloudName = values.cloud
  const cloud = Object.hasOwn(configuration.clouds, cloudName) ? configuration.clouds[cloudName] : undefined
  if (cloud === undefined) {
    const known = Object.keys(configuration.clouds)
    notes.problem('bad-annotation', `annotation azure.keyvault.injector/cloud: there is no cloud ${quote(cloudName)}${didYouMean(cloudName, known)}; known are ${known.join(', ')}`) // prettier-ignore
    return undefined
  }
  const tokenLifetime = lifetime(onPod[lifetimeAnnotation] ?? onAccount[lifetimeAnnotation])
  if (onPod[bindingAnnotation] === 'true') return { cloudName, cloud, binding: true, tokenLifetime }

  const clientId = values['client-id'] ?? onAccount[clientIdAnnotation]
  const tenantId = values['tenant-id'] ?? onAccount[tenantIdAnnotation] ?? configuration.tenantId
  const account = `ServiceAccount "${serviceAccountName(pod)}" in namespace "${namespace}"`
  if (!clientId) {
    const text = `no client id: ${account} ${serviceAccount === undefined ? 'does not exist' : `has no annotation ${clientIdAnnotation}`}, and the pod has no annotation azure.keyvault.injector/client-id` // prettier-ignore
    if (configuration.missingClientId === 'deny') notes.problem('no-identity', text)
    else notes.warn('no-client-id', `no client id: ${account} has no annotation ${clientIdAnnotation}`)
  }
  if (!tenantId) {
    notes.problem('no-identity', `no tenant id: the administrator's configuration has no tenantId, ${account} no annotation ${tenantIdAnnotation}, and the pod no annotation azure.keyvault.injector/tenant-id`) // prettier-ignore
  }
  return {
    cloudName,
    cloud,
    ...(clientId ? { clientId } : {}),
    ...(tenantId ? { tenantId } : {}),
    binding: false,
    tokenLifetime,
  }
}

/** 3600 to 86400 seconds, as the workload identity webhook takes it; an hour where the text says nothing else. */
function lifetime(text: string | undefined): number {
  const seconds = Number(text)
  return Number.isInteger(seconds) && seconds >= 3600 && seconds <= 86400 ? seconds : 3600
}

/** The entry of the settings' identities. With an identity binding the pod's environment says the rest. */
export const settingsIdentity = ({ cloudName, tenantId, clientId }: PodIdentity): Identity => ({
  cloud: cloudName,
  ...(tenantId === undefined ? {} : { tenantId }),
  ...(clientId === undefined ? {} : { clientId }),
})
