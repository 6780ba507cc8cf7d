import type { Test } from 'tap'
import type { Cluster, LookupOptions } from '../../webhook/cluster/cluster.ts'
import type { ReviewContext } from '../../webhook/review/lookups.ts'
import type { Decided } from '../../webhook/review/decision.ts'
import { createApp, type AppOptions } from '../../webhook/server.ts'
import { planInputs } from './default-configuration.ts'
import { capturedLog } from '../support/captured-log.ts'

/** A cluster of one Namespace and one ServiceAccount; `asked` records what was looked up. */
export function cluster(changes: Partial<Cluster> = {}): Cluster & { asked: string[] } {
  const { serviceAccount } = planInputs()
  const asked: string[] = []
  const note = (what: string, { live }: LookupOptions = {}) => asked.push(live ? `${what} live` : what)
  return {
    asked,
    async namespace(name, options) {
      note(`namespace ${name}`, options)
      return { value: { name, labels: {}, annotations: {} }, cached: !options?.live }
    },
    async serviceAccount(namespace, name, options) {
      note(`serviceaccount ${namespace}/${name}`, options)
      return { value: serviceAccount, cached: !options?.live }
    },
    limitRanges: async () => ({ value: [], cached: false }),
    async secretProviderClass(namespace, name, options) {
      note(`secretproviderclass ${namespace}/${name}`, options)
      return { value: 'absent', cached: false }
    },
    oldestKubelet: () => undefined,
    apiServer: () => undefined,
    notReady: () => undefined,
    close: async () => {},
    ...changes,
  }
}

/** The app with a log that can be read, not listening. */
export function appFor(
  t: Pick<Test, 'teardown'>,
  context: Partial<ReviewContext> = {},
  options: Partial<AppOptions> = {},
) {
  const decided: Decided[] = []
  const { log, lines } = capturedLog()
  const { configuration, image, version } = planInputs()
  const app = createApp({
    tls: {},
    log,
    context: {
      cluster: cluster(),
      configuration: () => configuration,
      image,
      version,
      log,
      decided: (one) => decided.push(one),
      ...context,
    },
    ...options,
  })
  t.teardown(() => app.server.close())
  return { ...app, lines, decided }
}

export const annotated = (annotations: Record<string, string> = {}, spec: object = {}, metadata: object = {}) => ({
  metadata: {
    name: 'app-1',
    labels: { 'azure.workload.identity/use': 'true' },
    annotations: {
      'azure.keyvault.injector/vault': 'my-kv',
      'azure.keyvault.injector/objects': 'db-password',
      ...Object.fromEntries(
        Object.entries(annotations).map(([name, value]) => [
          name.includes('/') ? name : `azure.keyvault.injector/${name}`,
          value,
        ]),
      ),
    },
    ...metadata,
  },
  spec: { containers: [{ name: 'app', image: 'registry.example/app:1' }], ...spec },
})

export const reviewOf = (object: unknown, request: object = {}, apiVersion = 'admission.k8s.io/v1') => ({
  apiVersion,
  kind: 'AdmissionReview',
  request: {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    operation: 'CREATE',
    userInfo: { username: 'system:serviceaccount:kube-system:replicaset-controller' },
    namespace: 'shop',
    object,
    ...request,
  },
})
