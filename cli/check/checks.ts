/** The checks of an installation and of a pod: what each looks at, and what to do about its findings in general. */
export const checks = {
  installation: {
    meaning: 'the Deployments of the injector exist, and their environment variables are valid',
    remedy:
      'Apply your overlay (see [installation.md](installation.md)). If the cluster has several installations, choose one with `--system-namespace`.',
  },
  halves: {
    meaning: 'the Deployments `akv-injector` and `akv-injector-standby` each have an available pod',
    remedy:
      'Run `kubectl describe pod` and `kubectl logs` on the pods that the finding names. While one half is down, the other one answers. While both are down, pods that request secrets are rejected.',
  },
  registrations: {
    meaning:
      'every entry of the webhook configurations exists, calls the right Service, has a `caBundle` and a path, and fails in the intended way',
    remedy:
      'Apply your overlay again. The webhook writes `caBundle` and paths by itself (with cert-manager, its ca-injector writes `caBundle`): the log of the pods says why it does not. Do not remove `guard`: without it, a pod can start without its secrets.',
  },
  certificate: {
    meaning:
      "the webhook's certificate is valid, covers the names of both Services, and each `caBundle` verifies it; a coordinator's is valid, covers the host of its URL, and pods can verify it",
    remedy:
      'The webhook renews its own certificate after two thirds of its lifetime, and cert-manager does the same for the Certificate `akv-injector`: the log of the webhook or of cert-manager says why it does not. To create a new self-managed certificate, delete the content of the Secret `akv-injector-certificates` (`kubectl patch secret ... --type=json -p \'[{"op":"remove","path":"/data"}]\'`).',
  },
  permissions: {
    meaning: 'the ServiceAccounts of the webhook and of the optional programs may do everything that these need',
    remedy: 'Apply your overlay again: `rbac.yaml` and `certificates.yaml` of the manifests grant these permissions.',
  },
  policies: {
    meaning: 'the ValidatingAdmissionPolicies exist and are bound',
    remedy:
      'Apply your overlay again. `akv-injector-own-registrations` restricts what the webhook may change in its registrations, and `akv-injector-forgotten-labels` warns of forgotten labels. Without `akv-injector-sync-tokens` and `akv-injector-sync-secrets`, the program for [Kubernetes Secrets](kubernetes-secrets.md) writes nothing. Clusters before Kubernetes 1.30 [do without them](installation.md#older-clusters).',
  },
  programs: {
    meaning:
      'the optional programs `akv-injector-sync` and `akv-injector-coordinator` have an available pod if they are installed, and run the image of the webhook',
    remedy:
      'Run `kubectl describe pod` and `kubectl logs` on the pods that the finding names. Without the [coordinator](coordinator.md), pods poll. Without the program for [Kubernetes Secrets](kubernetes-secrets.md), Secrets keep the values that they have.',
  },
  namespaces: {
    meaning: 'namespaces are labeled for injection, and no label has an unknown value',
    remedy: 'Label the namespace: `kubectl label namespace my-team azure.keyvault.injector/injection=enabled`.',
  },
  configuration: {
    meaning: "the administrator's file has no mistake",
    remedy:
      'Correct the field that the finding names. [configuration.md](configuration.md#the-administrators-file) describes every field. Until then, the running webhook uses the last good file, and a new pod of it does not become ready.',
  },
  versions: {
    meaning: 'Kubernetes is supported, both halves run the same image, and sidecars get the image that the file names',
    remedy:
      'Set the image of both Deployments in your overlay (`images:`). A changed file reaches the webhook within about a minute.',
  },
  'dry-run': {
    meaning:
      'the API server calls the webhook for a pod that requests secrets (server-side dry run), and it is injected',
    remedy:
      'The finding has the answer of the API server. `x509` means that `caBundle` does not verify the certificate; `no endpoints`, `connection refused` and `timeout` mean that the API server cannot reach the pods: check NetworkPolicies, and the firewall between control plane and nodes.',
  },
  injection: {
    meaning: 'the pod was injected',
    remedy:
      'Add what is missing to the pod template or the namespace, and recreate the pod. A running pod is never changed.',
  },
  images: {
    meaning: 'the images of the pod can be pulled',
    remedy:
      "Correct the name of the image, or grant the nodes or the `imagePullSecrets` of the ServiceAccount access to the registry. The image of the sidecar is that of the webhook, or `image` in the administrator's file.",
  },
  sidecar: {
    meaning: 'the sidecar has read its objects, and has notified the app',
    remedy:
      'The message names the vault, the object, the answer and the remedy. The kubelet starts a failed sidecar again with a back-off, so that the pod starts soon after you have fixed the cause.',
  },
} as const satisfies Record<string, { meaning: string; remedy: string }>
export type CheckName = keyof typeof checks
