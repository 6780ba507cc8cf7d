import { createKubernetesBundles, type KubernetesBundlesOptions } from './ca-bundles.ts'
import { realClock } from '../shared/clock.ts'
import type { ClusterCertificates, ClusterSecret } from './store.ts'
import { decode, encode, orConflict, orMissing, REQUEST_TIMEOUT_MS } from '../shared/kubernetes/responses.ts'
import { watchObject } from '../shared/kubernetes/watch-object.ts'

export interface KubernetesCertificatesOptions extends KubernetesBundlesOptions {
  /** in the Services' namespace */
  secretName: string
}

/**
 * The certificates' Secret and caBundles in a Kubernetes cluster.
 *
 * RBAC, by resourceNames: get, watch, update on the Secret; get, watch, patch on each configuration (see ca-bundles.ts).
 */
export function createKubernetesStore(options: KubernetesCertificatesOptions): ClusterCertificates {
  const { api, services, secretName, log, clock = realClock, requestTimeout = REQUEST_TIMEOUT_MS } = options
  const { namespace } = services
  const bundles = createKubernetesBundles(options)
  const secretId = `Secret ${namespace}/${secretName}`
  const secrets = `/api/v1/namespaces/${namespace}/secrets`
  const path = `${secrets}/${secretName}`
  const bounded = () => AbortSignal.timeout(requestTimeout)
  const readSecret = () => orMissing(`get ${secretId}`, api.call({ path, signal: bounded() }) as Promise<Secret>)

  return {
    async read() {
      // In this order, so that the configurations are at least as new as the Secret.
      const secret = await readSecret()
      return { secret: secret && viewOf(secret), configurations: await bundles.read() }
    },

    async writeSecret(read, data) {
      const secret = await readSecret()
      if (secret?.metadata?.resourceVersion !== read.resourceVersion) return false
      const body = { ...secret, data: { ...secret.data, ...mapValues(data, encode) } }
      return orConflict(`update ${secretId}`, api.call({ method: 'PUT', path, body, signal: bounded() }))
    },

    writeBundle: (...publication) => bundles.write(...publication),

    watch(changed) {
      const closing = new AbortController()
      void watchObject({
        api,
        path: secrets,
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

interface Secret {
  metadata?: { resourceVersion?: string }
  data?: Record<string, string>
}

function viewOf({ metadata, data = {} }: Secret): ClusterSecret {
  return { resourceVersion: metadata?.resourceVersion ?? '', data: mapValues(data, decode) }
}

function mapValues(record: Readonly<Record<string, string>>, map: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}
