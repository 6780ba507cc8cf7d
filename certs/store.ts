import { CoreV1Api, type V1Secret } from '@kubernetes/client-node'
import { kubernetesBundles, type KubernetesBundlesOptions } from './bundles.ts'
import { systemClock } from './clock.ts'
import type { ClusterCertificates, ClusterSecret } from './cluster.ts'
import { bounded, decode, encode, orConflict, orMissing, REQUEST_TIMEOUT_MS } from './requests.ts'
import { watchObject } from './watch.ts'

export interface KubernetesCertificatesOptions extends KubernetesBundlesOptions {
  /** in the Service's namespace */
  secretName: string
}

/**
 * The certificates' Secret and caBundles in a Kubernetes cluster.
 *
 * RBAC, by resourceNames: get, watch, update on the Secret; get, watch, patch on each configuration (see bundles.ts).
 */
export function kubernetesCertificates(options: KubernetesCertificatesOptions): ClusterCertificates {
  const { kubeConfig, namespace, secretName, log, clock = systemClock, requestTimeout = REQUEST_TIMEOUT_MS } = options
  const core = kubeConfig.makeApiClient(CoreV1Api)
  const bundles = kubernetesBundles(options)
  const secretId = `Secret ${namespace}/${secretName}`
  const readSecret = () =>
    orMissing(`get ${secretId}`, core.readNamespacedSecret({ name: secretName, namespace }, bounded(requestTimeout)))

  return {
    async read() {
      const [configurations, secret] = await Promise.all([bundles.read(), readSecret()])
      return { configurations, secret: secret && viewOf(secret) }
    },

    async writeSecret(read, data) {
      const secret = await readSecret()
      if (secret?.metadata?.resourceVersion !== read.resourceVersion) return false
      const body = { ...secret, data: { ...secret.data, ...mapValues(data, encode) } }
      const update = core.replaceNamespacedSecret({ name: secretName, namespace, body }, bounded(requestTimeout))
      return orConflict(`update ${secretId}`, update)
    },

    writeBundle: (read, caBundle) => bundles.write(read, caBundle),

    watch(changed) {
      const closing = new AbortController()
      const path = `/api/v1/namespaces/${namespace}/secrets`
      void watchObject({
        kubeConfig,
        path,
        name: secretName,
        id: secretId,
        changed,
        log,
        clock,
        signal: closing.signal,
      })
      const unwatch = bundles.watch(changed)
      return () => {
        closing.abort()
        unwatch()
      }
    },
  }
}

function viewOf({ metadata, data = {} }: V1Secret): ClusterSecret {
  return { resourceVersion: metadata?.resourceVersion ?? '', data: mapValues(data, decode) }
}

function mapValues(record: Readonly<Record<string, string>>, map: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}
