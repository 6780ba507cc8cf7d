import type { DenyReason } from '../../webhook/reasons.ts'

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
