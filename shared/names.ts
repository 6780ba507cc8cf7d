/** The names that both programs, the manifests and the documentation agree on. */

export const annotationPrefix = 'azure.keyvault.injector/'
/** On a pod: `standby` where that has injected it, and shall see to later passes over it too. */
export const standbyAnnotation = `${annotationPrefix}injected-by`
/** On a Namespace: `enabled` or `report`. */
export const injectionLabel = 'azure.keyvault.injector/injection'
/** On a Namespace: `"true"` where nothing is ever injected (the injector's own). */
export const systemLabel = 'azure.keyvault.injector/system'
/** On a pod: the workload identity webhook's own opt-in. */
export const workloadIdentityLabel = 'azure.workload.identity/use'

export const sidecarContainer = 'akv-injector'
/** Runs to its end before the app in the modes `classic` and `once`. */
export const initContainer = 'akv-injector-init'

export const secretsVolume = 'akv-injector-secrets'
export const tokenVolume = 'akv-injector-token'
export const podinfoVolume = 'akv-injector-podinfo'
/** Private to the sidecar of a host network pod: its unix socket. */
export const runVolume = 'akv-injector-run'

/** Audience of the token that Entra ID exchanges. */
export const tokenAudience = 'api://AzureADTokenExchange'
export const tokenFolder = '/var/run/secrets/akv-injector'
export const tokenFile = `${tokenFolder}/token`
/**
 * The downward API volume stands where the API server's ServiceAccount plugin would mount an API token:
 * it leaves an occupied path alone, so the sidecar has none.
 */
export const podinfoFolder = '/var/run/secrets/kubernetes.io/serviceaccount'
export const runFolder = '/run/akv-injector'
export const statusSocket = `${runFolder}/status.sock`
export const terminationLog = '/dev/termination-log'

/** Base64url of the sidecar's settings (settings.ts). */
export const settingsVariable = 'AKV_INJECTOR_SETTINGS'
export const sidecarScript = '/app/sidecar.js'
export const probeScript = '/app/probe.js'
export const webhookScript = '/app/webhook.js'
/** Uncommon, below the ephemeral range, outside of what IANA lists for common servers. */
export const defaultSidecarPort = 20471
