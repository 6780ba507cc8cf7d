import {
  AdmissionregistrationV1Api,
  PatchStrategy,
  setHeaderOptions,
  type KubeConfig,
  type V1MutatingWebhookConfiguration,
  type V1ValidatingWebhookConfiguration,
} from '@kubernetes/client-node'
import { systemClock, type Clock } from './clock.ts'
import type { CaBundles, ClusterConfiguration } from './cluster.ts'
import type { Log } from './events.ts'
import { bounded, decode, encode, orConflict, orMissing, REQUEST_TIMEOUT_MS } from './requests.ts'
import { watchObject } from './watch.ts'

export interface KubernetesBundlesOptions {
  kubeConfig: KubeConfig
  /** of the Service */
  namespace: string
  /** webhooks that call this Service are ours, whatever their names; others in the same configuration are left alone */
  serviceName: string
  /** names of MutatingWebhookConfigurations; one that does not exist is waited for */
  mutating: readonly string[]
  /** names of ValidatingWebhookConfigurations, likewise */
  validating?: readonly string[]
  log: Log
  clock?: Clock
  /** milliseconds for each request, 10 seconds unless given; watches are not bounded by it */
  requestTimeout?: number
}

type Configuration = V1MutatingWebhookConfiguration | V1ValidatingWebhookConfiguration
type Webhook = NonNullable<Configuration['webhooks']>[number]

/** One kind of webhook configuration: where it is and how it is read and patched. */
interface Kind {
  kind: string
  path: string
  read(name: string): Promise<Configuration>
  patch(name: string, body: object): Promise<unknown>
}

/**
 * The caBundles of our webhooks in a Kubernetes cluster.
 *
 * RBAC, by resourceNames: get and watch on each configuration, and patch for `write`. The watches select by `metadata.name`, without
 * which resourceNames forbid them.
 */
export function kubernetesBundles(options: KubernetesBundlesOptions): CaBundles {
  const { kubeConfig, namespace, serviceName, log, clock = systemClock, requestTimeout = REQUEST_TIMEOUT_MS } = options
  const { mutating, validating } = webhookKinds(kubeConfig.makeApiClient(AdmissionregistrationV1Api), requestTimeout)
  const targets = [
    ...options.mutating.map((name) => ({ kind: mutating, name, id: `${mutating.kind} ${name}` })),
    ...(options.validating ?? []).map((name) => ({ kind: validating, name, id: `${validating.kind} ${name}` })),
  ]
  const isOurs = ({ clientConfig: { service } }: Webhook) =>
    service?.namespace === namespace && service.name === serviceName

  return {
    async read() {
      const found = await Promise.all(
        targets.map(async ({ kind, name, id }) => {
          const configuration = await orMissing(`get ${id}`, kind.read(name))
          return configuration && viewOf(id, configuration, isOurs)
        }),
      )
      return found.filter((view) => view !== undefined).filter(({ webhooks }) => webhooks.length > 0)
    },

    async write({ id, resourceVersion, webhooks }, caBundle) {
      const target = targets.find((one) => one.id === id)
      if (!target) throw new Error(`${id} is not one of the configurations to keep`)
      // Strategic merge finds webhooks by name and touches nothing but the caBundle; the version makes it fail on any change since.
      const body = {
        metadata: { resourceVersion },
        webhooks: webhooks.map(({ name }) => ({ name, clientConfig: { caBundle: encode(caBundle) } })),
      }
      return orConflict(`patch ${id}`, target.kind.patch(target.name, body))
    },

    watch(changed) {
      const closing = new AbortController()
      for (const { kind, name, id } of targets) {
        void watchObject({ kubeConfig, path: kind.path, name, id, changed, log, clock, signal: closing.signal })
      }
      return () => closing.abort()
    },
  }
}

function webhookKinds(api: AdmissionregistrationV1Api, timeout: number): { mutating: Kind; validating: Kind } {
  const group = '/apis/admissionregistration.k8s.io/v1'
  const merge = () => setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch, bounded(timeout))
  return {
    mutating: {
      kind: 'MutatingWebhookConfiguration',
      path: `${group}/mutatingwebhookconfigurations`,
      read: (name) => api.readMutatingWebhookConfiguration({ name }, bounded(timeout)),
      patch: (name, body) => api.patchMutatingWebhookConfiguration({ name, body }, merge()),
    },
    validating: {
      kind: 'ValidatingWebhookConfiguration',
      path: `${group}/validatingwebhookconfigurations`,
      read: (name) => api.readValidatingWebhookConfiguration({ name }, bounded(timeout)),
      patch: (name, body) => api.patchValidatingWebhookConfiguration({ name, body }, merge()),
    },
  }
}

function viewOf(id: string, configuration: Configuration, isOurs: (webhook: Webhook) => boolean): ClusterConfiguration {
  const { metadata, webhooks = [] } = configuration
  return {
    id,
    uid: metadata?.uid ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    generation: metadata?.generation ?? 0,
    webhooks: (webhooks as Webhook[])
      .filter(isOurs)
      .map(({ name, clientConfig }) => ({ name, caBundle: decode(clientConfig.caBundle ?? '') })),
  }
}
