/** The names shared by the programs, the manifests and the documentation. */

export const annotationPrefix = 'azure.keyvault.injector/'
/** On a pod: `standby` if the standby injected it and handles later reviews of it too. */
export const standbyAnnotation = `${annotationPrefix}injected-by`
/** On a Namespace: `enabled` or `report`. */
export const injectionLabel = 'azure.keyvault.injector/injection'
/** On a Namespace: `"true"` if pods in it are never injected (the injector's own). */
export const systemLabel = 'azure.keyvault.injector/system'
/** On a pod: the workload identity webhook's own opt-in. */
export const workloadIdentityLabel = 'azure.workload.identity/use'

export const sidecarContainer = 'akv-injector'
/** Runs to its end before the app in the modes `classic` and `once`. */
export const initContainer = 'akv-injector-init'
/** Runs after the sidecar's first set of files: checks that the kubelet reads environment variables from files. */
export const environmentContainer = 'akv-injector-env'

export const secretsVolume = 'akv-injector-secrets'
export const tokenVolume = 'akv-injector-token'
export const podinfoVolume = 'akv-injector-podinfo'
/** Private to the sidecar of a host network pod: its unix socket. */
export const runVolume = 'akv-injector-run'

/**
 * Where the folder docs is published, such as `https://github.com/OWNER/akv-injector/blob/main/docs/`; empty until there is a public
 * repository.
 */
export const documentationUrl = ''
/** Ends each denial, each termination message, each Event of type Warning and each failed start: the section about its reason. */
export const troubleshootingLink = (anchor: string): string => `(docs: ${documentationUrl}troubleshooting.md#${anchor})`

/** The section about an outcome of the sidecar. Some codes are also reasons for denials, which have sections of their own. */
export const sidecarAnchor = (outcome: string): string => `sidecar-${outcome}`
/** The section about an Event of this reason: `event-role-missing`. */
export const eventAnchor = (reason: string): string =>
  `event${reason.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
/** The section about a program that cannot start. */
export const startAnchor = (program: string): string => `start-${program}`

/** Audience of the token that Entra ID exchanges. */
export const tokenAudience = 'api://AzureADTokenExchange'
export const tokenFolder = '/var/run/secrets/akv-injector'
export const tokenFile = `${tokenFolder}/token`
/** The token for the coordinator, which no other service accepts. */
export const coordinatorTokenName = 'coordinator'
export const coordinatorTokenFile = `${tokenFolder}/${coordinatorTokenName}`
/**
 * The downward API volume is at the path at which the API server's ServiceAccount admission plugin would mount an API token:
 * the plugin skips an occupied path, so the sidecar has no API token.
 */
export const podinfoFolder = '/var/run/secrets/kubernetes.io/serviceaccount'
export const runFolder = '/run/akv-injector'
export const statusSocket = `${runFolder}/status.sock`
export const terminationLog = '/dev/termination-log'

/** Base64url of the sidecar's settings (settings.ts). */
export const settingsVariable = 'AKV_INJECTOR_SETTINGS'
/** For how many containers the pod's termination messages leave space, if they are more than usual (termination-limit.ts). */
export const containersVariable = 'AKV_INJECTOR_CONTAINERS'
export const sidecarScript = '/app/sidecar.js'
export const probeScript = '/app/probe.js'
export const environmentScript = '/app/environment.js'
export const webhookScript = '/app/webhook.js'
/** Uncommon, below the ephemeral range, outside of what IANA lists for common servers. */
export const defaultSidecarPort = 20471
