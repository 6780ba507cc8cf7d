import type { eventReasons as coordinatorEvents } from '../../coordinator/rotation/announce.ts'
import type { Program } from '../../shared/start-failure.ts'
import type { SyncReason } from '../../sync/reasons.ts'
import type { DenyReason } from '../../webhook/reasons.ts'
import type { EventReason } from '../../webhook/report/event-reasons.ts'

/** What to do about each reason for which a pod is denied, for docs/troubleshooting.md. */
export const remedies: Record<DenyReason, string> = {
  overloaded:
    'Controllers retry by themselves. If it lasts, add replicas to the Deployment `akv-injector`, or find out who creates so many pods: `akv_injector_reviews_total` counts them.',
  unavailable:
    'Controllers retry by themselves. If it lasts, check whether the API server answers the webhook: its log names the request and the error. An RBAC error (403) means that the ClusterRole of the manifests is not applied.',
  'not-injected':
    'Check `kubectl get pods -n akv-injector-system`. If `akv-injector` and its standby run, another webhook adds the annotations or the label after the injector was called: put its configuration first, or set the annotations on the workload. A copy of an injected pod is denied if its sidecar differs from what would be injected today: remove the sidecar from the copy.',
  'malformed-pod': 'Correct the field that the message names.',
  windows: 'Remove the annotations of the injector from pods for Windows nodes.',
  'bad-annotation':
    'Correct the annotation that the message names. [configuration.md](configuration.md) lists every annotation with an example.',
  'not-allowed':
    'Remove the annotation or choose a value within the bound. The administrator sets both with `annotations` and `bounds` in the [configuration file](configuration.md#the-administrators-file).',
  'vault-not-allowed':
    'Use a vault that the namespace may use, or ask the administrator for a rule under `vaults` in the [configuration file](configuration.md#the-administrators-file). A vault of another cloud needs the annotation `cloud`.',
  'secret-provider-class':
    'Create the SecretProviderClass in the namespace of the pod, or correct the parameter that the message names. [migrating-from-csi.md](migrating-from-csi.md) lists the parameters.',
  'no-vault': 'Set the annotation `vault`, or name the vault of each object in YAML.',
  'no-identity':
    'Annotate the ServiceAccount with `azure.workload.identity/client-id`, or set the annotation `client-id` on the pod. A tenant ID comes from the same places or from `tenantId` of the [configuration file](configuration.md#the-administrators-file).',
  'unknown-container':
    'Correct the name, or remove it from the annotation. The message lists the containers of the pod.',
  clash:
    'Choose another `mount-path`, or rename what the message names. Containers and volumes named `akv-injector*` belong to the injector.',
  mode: 'Remove the annotation `mode`, so that `auto` selects a mode that every node supports, or upgrade the nodes to Kubernetes 1.29.',
  env: 'The annotation `env` needs Kubernetes 1.35 on the API server and every node: upgrade, or let the app read a file of a template or of `bundle-.env`. The other causes are in the message: a container that starts before the sidecar, or `on-delete: delete`. See [environment-variables.md](environment-variables.md).',
  signal:
    'Name the container in `signal-container`. If the pod cannot share its process namespace, use `notify-url` instead of `signal`. See [signals.md](signals.md).',
  mesh: 'Configure the mesh to use native sidecars, or set the annotations that the message names, so that the traffic of the sidecar bypasses the proxy.',
  'user-id':
    'Set `run-as-user` to a user ID other than 0. A signal to a process of root needs a namespace that does not enforce Pod Security `restricted`.',
  resources:
    'Set the annotations `request-*` and `limit-*`, or change the resources of the pod. The message names the LimitRange, if there is one, and the figures.',
  'too-large': 'Split the pod, or shorten its templates. The message names the limit.',
}

/** What to do about each Event. */
export const eventRemedies: Record<EventReason | SyncReason | keyof typeof coordinatorEvents, string> = {
  Injected: 'Nothing is wrong. The message names the mode of the sidecar, the number of objects, and the vaults.',
  InjectionDenied:
    'The message lists the problems. It ends with the section about the first one: see [a pod is rejected](#a-pod-is-rejected). If it begins with `report only:`, the pod was not rejected and has no sidecar.',
  InjectionSkipped: 'If the pod should be injected, remove the annotation `inject: "false"` from its template.',
  InjectionMissed:
    'The message names the missing label, or says that the pod is older than the label. See [a pod runs without a sidecar](#a-pod-runs-without-a-sidecar).',
  Synced: 'Nothing is wrong. The message names the Secret and the versions of its objects.',
  RoleMissing:
    'Apply the Role that `akv-injector sync role` prints for the class: see [set it up](kubernetes-secrets.md#set-it-up). Print it again after each change of `secretObjects` or `sync-as`. The message has the Role itself if there is space for it, and then often no link. If it names an `ownerRef`, use `--allow-delete`: see [who owns a Secret](kubernetes-secrets.md#who-owns-a-secret).',
  SyncRefused:
    'Correct what the message names, in the class or in its ServiceAccount. Until then, the Secrets keep what they have. See [what a class says](kubernetes-secrets.md#what-a-class-says).',
  Conflict:
    'Choose another `secretName`, or delete the Secret, so that the program creates it. A Secret of the CSI driver is taken over with `sync-adopt: csi`: see [from the CSI driver](kubernetes-secrets.md#from-the-csi-driver).',
  SyncFailed:
    'The program retries by itself. The message has the answer of the vault, of the sign-in service or of the API server: look it up under [messages](#messages-of-the-sidecar). The identity of the class needs the same roles as that of a pod.',
  SignalNotPermitted: 'See [sidecar-not-permitted](#sidecar-not-permitted).',
  SignalNotHandled:
    'Add a handler for the signal to the app, choose another signal, or use `notify-url`: see [signals](signals.md#which-signal).',
  VaultRefused:
    'The message has the answer of the vault or of the sign-in service, and the remedy: look it up under [messages](#messages-of-the-sidecar). The app keeps the files that it has.',
  TurnFailed:
    'Set a good version of the object that the message names, or disable the bad one: the pods switch to the next version, one after the other. Do not drain, scale or roll out before, because new pods start with the newest version. See [one after the other](coordinator.md#one-replica-after-the-other).',
  RotationComplete: 'Nothing is wrong.',
}

/** What keeps each program from starting, and what to do. */
export const startRemedies: Record<Program, { meaning: string; remedy: string }> = {
  webhook: {
    meaning:
      "an environment variable is invalid, the administrator's file has a mistake, the API server does not answer, or the port is in use",
    remedy:
      'Correct the [variable](installation.md#environment-variables-of-the-deployments) or the field of the [file](configuration.md#the-administrators-file) that the message names. If the API server does not answer, check the NetworkPolicies; if it answers 403, apply your overlay again. Pods of before a rollout continue to answer, and so does the other Deployment.',
  },
  coordinator: {
    meaning:
      "an environment variable is missing or invalid, the administrator's file has a mistake or no field `coordinator`, or a port is in use",
    remedy:
      'If `AZURE_CLIENT_ID` or another variable `AZURE_*` is missing, annotate the ServiceAccount `akv-injector-coordinator` with the client ID, and check that the workload identity webhook runs. Otherwise, correct what the message names: see [install](coordinator.md#install). Until it starts, pods poll.',
  },
  sync: {
    meaning: "an environment variable is invalid, the administrator's file has a mistake, or the port is in use",
    remedy:
      'Correct what the message names. Until the program starts, Secrets keep the values that they have. See [Kubernetes Secrets](kubernetes-secrets.md#set-it-up).',
  },
}
