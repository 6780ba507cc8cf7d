import {
  AdmissionregistrationV1Api,
  CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type KubeConfig,
  type V1MutatingWebhookConfiguration,
  type V1Secret,
  type V1ValidatingWebhookConfiguration,
} from '@kubernetes/client-node'
import { systemClock, type Clock } from './clock.ts'
import type { ClusterCertificates, ClusterConfiguration, ClusterSecret } from './cluster.ts'
import type { Log } from './events.ts'
import { bounded, orConflict, orMissing } from './requests.ts'
import { watchObject } from './watch.ts'

export interface KubernetesCertificatesOptions {
  kubeConfig: KubeConfig
  /** of the Secret and the Service */
  namespace: string
  secretName: string
  /** webhooks that call this Service are ours, whatever their names; others in the same configuration are left alone */
  serviceName: string
  /** names; one that does not exist is waited for */
  mutating: readonly string[]
  validating?: readonly string[]
  log: Log
  clock?: Clock
}

type Configuration = V1MutatingWebhookConfiguration | V1ValidatingWebhookConfiguration

/** One kind of webhook configuration: where it is and how it is read and patched. */
interface Kind {
  kind: string
  path: string
  read(name: string): Promise<Configuration>
  patch(name: string, body: object): Promise<unknown>
}

/**
 * The certificates' Secret and caBundles in a Kubernetes cluster.
 *
 * RBAC, by resourceNames: get, watch, update on the Secret; get, watch, patch on each configuration. The watches
 * select by `metadata.name`, without which resourceNames forbid them.
 */
export function kubernetesCertificates(options: KubernetesCertificatesOptions): ClusterCertificates {
  const { kubeConfig, namespace, secretName, serviceName, log, clock = systemClock } = options
  const core = kubeConfig.makeApiClient(CoreV1Api)
  const kinds = webhookKinds(kubeConfig.makeApiClient(AdmissionregistrationV1Api))
  const configured = [
    ...options.mutating.map((name) => ({ kind: kinds.mutating, name })),
    ...(options.validating ?? []).map((name) => ({ kind: kinds.validating, name })),
  ].map((one) => ({ ...one, id: `${one.kind.kind} ${one.name}` }))
  const secretId = `Secret ${namespace}/${secretName}`

  const readSecret = () => core.readNamespacedSecret({ name: secretName, namespace }, bounded())
  const isOurs = ({ clientConfig }: { clientConfig: { service?: { namespace: string; name: string } } }) =>
    clientConfig.service?.namespace === namespace && clientConfig.service.name === serviceName

  return {
    async read() {
      const found = await Promise.all(
        configured.map(async ({ kind, name, id }) => {
          const object = await orMissing(`get ${id}`, kind.read(name))
          const view = object && viewOf(id, object, isOurs)
          return view && view.webhooks.length > 0 ? view : undefined
        }),
      )
      const configurations = found.filter((configuration) => configuration !== undefined)
      const secret = await orMissing(`get ${secretId}`, readSecret())
      return { configurations, secret: secret && viewOfSecret(secret) }
    },

    async writeSecret(read, data) {
      const secret = await orMissing(`get ${secretId}`, readSecret())
      if (secret?.metadata?.resourceVersion !== read.resourceVersion) return false
      const encoded = Object.entries(data).map(([key, value]): [string, string] => [key, encode(value)])
      const body = { ...secret, data: { ...secret.data, ...Object.fromEntries(encoded) } }
      return orConflict(
        `update ${secretId}`,
        core.replaceNamespacedSecret({ name: secretName, namespace, body }, bounded()),
      )
    },

    async writeBundle({ id, resourceVersion, webhooks }, caBundle) {
      const target = configured.find((one) => one.id === id)
      if (!target) throw new Error(`${id} is not one of ours`)
      // Strategic merge finds webhooks by name and touches nothing but the caBundle; the version makes it fail on any change since.
      const body = {
        metadata: { resourceVersion },
        webhooks: webhooks.map(({ name }) => ({ name, clientConfig: { caBundle: encode(caBundle) } })),
      }
      return orConflict(`patch ${id}`, target.kind.patch(target.name, body))
    },

    watch(changed) {
      const paths = [
        { path: `/api/v1/namespaces/${namespace}/secrets`, name: secretName, id: secretId },
        ...configured.map(({ kind, name, id }) => ({ path: kind.path, name, id })),
      ]
      const closing = new AbortController()
      for (const { path, name, id } of paths) {
        void watchObject({ kubeConfig, path, name, id, changed, log, clock, signal: closing.signal })
      }
      return () => closing.abort()
    },
  }
}

function webhookKinds(api: AdmissionregistrationV1Api): { mutating: Kind; validating: Kind } {
  const group = '/apis/admissionregistration.k8s.io/v1'
  const merge = () => setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch, bounded())
  return {
    mutating: {
      kind: 'MutatingWebhookConfiguration',
      path: `${group}/mutatingwebhookconfigurations`,
      read: (name) => api.readMutatingWebhookConfiguration({ name }, bounded()),
      patch: (name, body) => api.patchMutatingWebhookConfiguration({ name, body }, merge()),
    },
    validating: {
      kind: 'ValidatingWebhookConfiguration',
      path: `${group}/validatingwebhookconfigurations`,
      read: (name) => api.readValidatingWebhookConfiguration({ name }, bounded()),
      patch: (name, body) => api.patchValidatingWebhookConfiguration({ name, body }, merge()),
    },
  }
}

function viewOfSecret({ metadata, data = {} }: V1Secret): ClusterSecret {
  const decoded = Object.entries(data).map(([key, value]) => [key, decode(value)])
  return {
    resourceVersion: metadata?.resourceVersion ?? '',
    data: Object.fromEntries(decoded) as Record<string, string>,
  }
}

function viewOf(
  id: string,
  { metadata, webhooks }: Configuration,
  isOurs: (webhook: NonNullable<Configuration['webhooks']>[number]) => boolean,
): ClusterConfiguration {
  return {
    id,
    uid: metadata?.uid ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    generation: metadata?.generation ?? 0,
    webhooks: (webhooks ?? [])
      .filter(isOurs)
      .map(({ name, clientConfig }) => ({ name, caBundle: decode(clientConfig.caBundle ?? '') })),
  }
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8')
}
