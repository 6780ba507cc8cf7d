import type { Services } from './authority.ts'
import { realClock, type WallClock } from '../shared/clock.ts'
import type { CaBundles, ClusterConfiguration } from './store.ts'
import type { Log } from './events.ts'
import { decode, encode, orConflict, orMissing, REQUEST_TIMEOUT_MS, type Api } from '../shared/kubernetes/responses.ts'
import { splitPath } from './segments.ts'
import { watchObject } from '../shared/kubernetes/watch-object.ts'

export interface KubernetesBundlesOptions {
  api: Api
  /** webhooks that call these Services are managed, whatever their names; others in the same configuration are left alone */
  services: Pick<Services, 'names' | 'namespace'>
  /** names of MutatingWebhookConfigurations; one that does not exist is waited for */
  mutating: readonly string[]
  /** names of ValidatingWebhookConfigurations, likewise */
  validating?: readonly string[]
  /**
   * returns the path of a webhook, without the segment before it, by the configuration's kind and the webhook's name; if undefined, the
   * webhook's current path applies, and one without a path is not managed
   */
  pathOf?: (kind: string, webhook: string) => string | undefined
  log: Log
  clock?: WallClock
  /** milliseconds for each request, 10 seconds unless given; watches are not bounded by it */
  requestTimeout?: number
}

/** The fields of a MutatingWebhookConfiguration or ValidatingWebhookConfiguration that are read. */
interface Configuration {
  metadata?: { uid?: string; resourceVersion?: string; generation?: number }
  webhooks?: Webhook[]
}
interface Webhook {
  name: string
  clientConfig: { caBundle?: string; service?: { namespace: string; name: string; path?: string } }
}

const group = '/apis/admissionregistration.k8s.io/v1'
const mutating = { kind: 'MutatingWebhookConfiguration', path: `${group}/mutatingwebhookconfigurations` }
const validating = { kind: 'ValidatingWebhookConfiguration', path: `${group}/validatingwebhookconfigurations` }

/**
 * The caBundles of the injector's webhooks in a Kubernetes cluster.
 *
 * RBAC, by resourceNames: get and watch on each configuration, and patch for `write`. The watches select by `metadata.name`, which
 * resourceNames require.
 */
export function createKubernetesBundles(options: KubernetesBundlesOptions): CaBundles {
  const { api, services, log, clock = realClock, requestTimeout = REQUEST_TIMEOUT_MS, pathOf } = options
  const targets = [
    ...options.mutating.map((name) => ({ kind: mutating, name, id: `${mutating.kind} ${name}` })),
    ...(options.validating ?? []).map((name) => ({ kind: validating, name, id: `${validating.kind} ${name}` })),
  ]
  const bounded = () => AbortSignal.timeout(requestTimeout)
  const isManaged = ({ clientConfig: { service } }: Webhook) =>
    service?.namespace === services.namespace && services.names.includes(service.name)

  return {
    async read() {
      const found = await Promise.all(
        targets.map(async ({ kind, name, id }) => {
          const configuration = await orMissing(
            `get ${id}`,
            api.call({ path: `${kind.path}/${name}`, signal: bounded() }) as Promise<Configuration>,
          )
          return configuration && viewOf(id, configuration, isManaged, (webhook) => pathOf?.(kind.kind, webhook))
        }),
      )
      return found.filter((view) => view !== undefined).filter(({ webhooks }) => webhooks.length > 0)
    },

    async write({ id, resourceVersion, webhooks }, caBundle, segments) {
      const target = targets.find((one) => one.id === id)
      if (!target) throw new Error(`${id} is not one of the configurations to keep`)
      // A strategic merge patch finds webhooks by name and changes only these; with the version, it fails after any other change.
      const body = {
        metadata: { resourceVersion },
        webhooks: webhooks.map(({ name, path }) => ({
          name,
          clientConfig: { caBundle: encode(caBundle), service: { path: `/${segments[name]}${path}` } },
        })),
      }
      const path = `${target.kind.path}/${target.name}`
      const contentType = 'application/strategic-merge-patch+json'
      return orConflict(`patch ${id}`, api.call({ method: 'PATCH', path, contentType, body, signal: bounded() }))
    },

    watch(changed) {
      const closing = new AbortController()
      for (const { kind, name, id } of targets) {
        void watchObject({ api, path: kind.path, name, id, changed, log, clock, signal: closing.signal })
      }
      return () => closing.abort()
    },
  }
}

function viewOf(
  id: string,
  configuration: Configuration,
  isManaged: (webhook: Webhook) => boolean,
  pathOf: (webhook: string) => string | undefined,
): ClusterConfiguration {
  const { metadata, webhooks = [] } = configuration
  return {
    id,
    uid: metadata?.uid ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    generation: metadata?.generation ?? 0,
    webhooks: webhooks
      .filter(isManaged)
      .map(({ name, clientConfig }) => {
        const { segment, own } = splitPath(clientConfig.service?.path ?? '')
        return { name, caBundle: decode(clientConfig.caBundle ?? ''), segment, path: pathOf(name) ?? own }
      })
      .filter(({ path }) => path !== ''),
  }
}
