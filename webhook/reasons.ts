/**
 * Why a pod is left alone or refused, and what is questionable about one: a code for metrics, and a sentence for people.
 * Logs, Events, metrics, audit annotations and the documentation read this table. Of several problems or warnings the
 * one that stands first here is the most important.
 */
export const skipReasons = {
  'not-a-pod-creation': 'the request does not create a pod',
  'not-a-workload': 'the request does not create or change a workload with a pod template',
  'system-namespace': 'nothing is injected into this namespace',
  'no-label': 'the pod lacks the label azure.workload.identity/use: "true"',
  'no-objects': 'the pod has neither the annotation objects nor secret-provider-class',
  'opted-out': 'the annotation inject is "false"',
  'mirror-pod': 'the pod mirrors a static pod, which the kubelet has started already',
  'already-injected': 'the pod has the sidecar that it would get',
} as const
export type SkipReason = keyof typeof skipReasons

export const denyReasons = {
  overloaded: 'more reviews are under way than can be answered in time',
  unavailable: 'what the decision rests on could not be read in time',
  'not-injected': 'the pod asks, and neither the webhook nor its standby has injected it',
  'malformed-pod': 'the pod is not what the Kubernetes API describes',
  windows: 'Windows pods are not supported',
  'bad-annotation': 'an annotation is unknown or has a value that it cannot have',
  'not-allowed': "the administrator's configuration does not allow it",
  'vault-not-allowed': "the administrator's configuration does not allow this namespace the vault",
  'secret-provider-class': 'a SecretProviderClass is not there or asks for what cannot be had',
  'no-vault': 'an object has no vault',
  'no-identity': 'there is no client id or tenant id to sign in with',
  'unknown-container': 'an annotation names a container that the pod does not have',
  clash: 'a container, volume or mount path of the pod clashes with what is injected',
  mode: 'the mode does not work on this cluster',
  signal: 'the signal cannot be sent in this pod',
  mesh: "a service mesh's proxy stands in the way of the sidecar",
  'user-id': 'the sidecar may not run with these ids',
  resources: "the sidecar's resources do not fit",
  'too-large':
    'the pod has more of something than is looked at, or its settings are larger than the environment of a container may be',
} as const
export type DenyReason = keyof typeof denyReasons

export const warningReasons = {
  'no-objects': 'the pod has annotations of the injector but asks for nothing',
  'no-client-id': 'there is no client id to sign in with',
  'node-identity': 'objects are fetched as the node, whose identity every pod on it has',
  'mesh-ports': 'an annotation of a service mesh contradicts what the sidecar needs',
  'late-proxy': "a service mesh's native proxy starts after the sidecar",
  'once-for-job': 'secrets are fetched once only, so that the Job can complete',
  'root-sidecar': 'the sidecar runs as user 0',
  'unknown-user-id': "the signal's target runs as a user that is not known at admission",
  'other-user-id': "the signal's target runs as another user than the sidecar",
  'sigterm-stays-down': 'an app that exits 0 on SIGTERM is not restarted',
  'sigterm-skips-pre-stop': 'a signal does not run the preStop hook',
  'kill-1': 'with a shared process namespace the app is not process 1',
  'file-mode': 'an app may not read a file',
  'key-mode': 'a server refuses a private key that others may read',
  'pfx-as-text': 'a PKCS#12 file is written as base64 text',
  'removed-additions': 'what others had added to the sidecar was removed',
  'sub-path': 'a subPath mount never shows a rotation',
  'no-effect': 'an annotation has no effect',
  'secret-provider-class': 'something in a SecretProviderClass is ignored',
} as const
export type WarningReason = keyof typeof warningReasons

/** Why a pod that asked for a sidecar runs without one, as the audit finds it. */
export const missReasons = {
  'no-namespace-label':
    'its namespace lacks the label azure.keyvault.injector/injection: enabled; label it, then create the pod anew',
  'no-label': 'it lacks the label azure.workload.identity/use: "true"; add it where the pod is made from, its template',
  'mirror-pod': 'it mirrors a static pod, which the kubelet starts without asking anybody',
  missed:
    'it was created before its namespace was labelled, or while the webhook could not be asked; create the pod anew',
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

/** Collects what is wrong with one pod, so that a denial names all of it. */
export class Notes {
  readonly problems: Problem[] = []
  readonly warnings: Warning[] = []
  /** Whether the pod itself is wrong: whatever Namespace, ServiceAccount, classes and LimitRanges say, it is denied. */
  isFinal = false

  problem(reason: DenyReason, ...texts: string[]): void {
    this.problems.push(...texts.map((text) => ({ reason, text })))
  }

  /** Problems of the pod itself, which nothing that is looked up can cure. */
  own(reason: DenyReason, ...texts: string[]): void {
    this.problem(reason, ...texts)
    this.isFinal ||= texts.length > 0
  }

  warn(reason: WarningReason, text: string): void {
    this.warnings.push({ reason, text })
  }
}

/** The same problems, the most important first; equals stay in the order they were found in. */
export const problemsByImportance = (problems: readonly Problem[]): Problem[] =>
  byImportance(problems, Object.keys(denyReasons))

/** The same of warnings. */
export const warningsByImportance = (warnings: readonly Warning[]): Warning[] =>
  byImportance(warnings, Object.keys(warningReasons))

function byImportance<T extends Problem | Warning>(entries: readonly T[], order: readonly string[]): T[] {
  const byReason = Map.groupBy(entries, ({ reason }) => reason)
  return order.flatMap((reason) => byReason.get(reason as T['reason']) ?? [])
}
