import { troubleshootingLink } from '../shared/names.ts'

/**
 * Why a pod is left alone or denied, and what a warning is about: a code for metrics, and a sentence for people. Logs, Events, metrics,
 * audit annotations and the documentation use these tables. If a pod has several problems or warnings, the one that is first here is the
 * most important.
 */
export const skipReasons = {
  'not-a-pod-creation': 'the request does not create a pod',
  'not-a-workload': 'the request does not create or change a workload with a pod template',
  'system-namespace': 'no pod is injected in this namespace',
  'no-label': 'the pod lacks the label azure.workload.identity/use: "true"',
  'no-objects': 'the pod has none of the annotations objects, secret-provider-class and env',
  'opted-out': 'the annotation inject is "false"',
  'mirror-pod': 'the pod mirrors a static pod, which the kubelet has already started',
  'already-injected': 'the pod already has the sidecar that it would get',
} as const
export type SkipReason = keyof typeof skipReasons

export const denyReasons = {
  overloaded: 'more reviews are under way than can be answered in time',
  unavailable: 'the objects that the decision depends on could not be read in time',
  'not-injected': 'the pod requests injection, but neither the webhook nor its standby injected it',
  'malformed-pod': 'the pod does not match the Kubernetes API',
  windows: 'Windows pods are not supported',
  'bad-annotation': 'an annotation is unknown or has an invalid value',
  'not-allowed': "an annotation is forbidden or exceeds a bound in the administrator's configuration",
  'vault-not-allowed': "the administrator's configuration does not allow the namespace to use the vault",
  'secret-provider-class': 'a SecretProviderClass does not exist or cannot be used',
  'no-vault': 'an object has no vault',
  'no-identity': 'there is no valid client ID or tenant ID to sign in with',
  'unknown-container': 'an annotation names a container that the pod does not have',
  clash: 'a container, volume or mount path of the pod conflicts with what is injected',
  mode: 'the nodes of this cluster do not support the requested mode',
  env: 'the cluster or the pod does not support the requested environment variables',
  signal: 'the pod has no container that can get the signal, or does not share its process namespace',
  mesh: "a service mesh's proxy intercepts the sidecar's traffic",
  'user-id': 'the sidecar must not run with the requested user ID',
  resources: "the sidecar's resources do not fit into those of the pod or the namespace",
  'too-large': 'the pod exceeds a limit, or its settings are too large for the environment of a container',
} as const
export type DenyReason = keyof typeof denyReasons

/** The link to the section of the documentation about a reason to deny a pod, which ends its denial. */
export const helpOf = (reason: DenyReason): string => troubleshootingLink(reason)

export const warningReasons = {
  'no-objects': 'the pod has annotations of the injector but requests no objects',
  'no-client-id': 'there is no client ID to sign in with',
  'node-identity': "objects are fetched with the node's identity, which every pod on the node has",
  'mesh-ports': 'an annotation of a service mesh contradicts what the sidecar needs',
  'late-proxy': "a service mesh's native proxy starts after the sidecar",
  'once-for-job': 'secrets are fetched only once, so that the Job can complete',
  'classic-for-job': 'the sidecar container keeps the Job from completing',
  'root-sidecar': 'the sidecar runs as user 0',
  'unknown-user-id': "the user of the signal's target is not known at admission",
  'other-user-id': "the signal's target runs as a different user than the sidecar",
  'env-restart': 'no restart gives the app the new value of an environment variable',
  'sigterm-stays-down': 'an app that exits on the signal is not restarted',
  'sigterm-skips-pre-stop': 'the signal does not run the preStop hook',
  'kill-1': 'in a shared process namespace, the app is not process 1',
  'file-mode': 'an app may not be able to read a file',
  'key-mode': 'a server rejects a private key that others can read',
  'pfx-as-text': 'a PKCS#12 file is written as base64 text',
  'binary-in-bundle': 'a bundle contains a binary file, which the sidecar cannot write into it',
  'removed-additions': 'additions of other webhooks to the sidecar were removed',
  'sub-path': 'a subPath mount is never updated',
  'read-only-parent': 'the mount path is inside a volume that is mounted read-only, in which its folder has to exist',
  'identity-mount': 'the Azure workload identity webhook mounts its token where the secrets would be',
  'no-effect': 'an annotation has no effect',
  'secret-provider-class': 'a part of a SecretProviderClass is ignored',
} as const
export type WarningReason = keyof typeof warningReasons

/** Why a pod that requests injection has no sidecar, as the audit finds it. */
export const missReasons = {
  'no-namespace-label':
    'its namespace lacks the label azure.keyvault.injector/injection: enabled; add the label, then recreate the pod',
  'no-label': 'it lacks the label azure.workload.identity/use: "true"; add the label to its template',
  'mirror-pod': 'it mirrors a static pod, which the kubelet starts without admission',
  missed:
    'it was created before its namespace was labeled, or while the webhook could not be reached; recreate the pod',
} as const
export type MissReason = keyof typeof missReasons

export interface Problem {
  reason: DenyReason
  text: string
}
export interface Warning {
  reason: WarningReason
  text: string
}

/** Collects the problems and warnings of one pod, so that a denial names all of them. */
export class Diagnostics {
  readonly problems: Problem[] = []
  readonly warnings: Warning[] = []
  /** Whether the pod is denied whatever its Namespace, ServiceAccount, classes and LimitRanges contain. */
  isFinal = false

  problem(reason: DenyReason, ...texts: string[]): void {
    this.problems.push(...texts.map((text) => ({ reason, text })))
  }

  /** Adds problems of the pod itself, which no look-up can solve. */
  own(reason: DenyReason, ...texts: string[]): void {
    this.problem(reason, ...texts)
    this.isFinal ||= texts.length > 0
  }

  warn(reason: WarningReason, text: string): void {
    this.warnings.push({ reason, text })
  }
}

/** Sorts problems by importance; those of one reason stay in the order in which they were found. */
export const problemsByImportance = (problems: readonly Problem[]): Problem[] =>
  byImportance(problems, Object.keys(denyReasons))

/** Sorts warnings by importance. */
export const warningsByImportance = (warnings: readonly Warning[]): Warning[] =>
  byImportance(warnings, Object.keys(warningReasons))

function byImportance<T extends Problem | Warning>(entries: readonly T[], order: readonly string[]): T[] {
  const byReason = Map.groupBy(entries, ({ reason }) => reason)
  return order.flatMap((reason) => byReason.get(reason as T['reason']) ?? [])
}
