/**
 * What the API server makes of a pod between two calls of webhooks, as far as it touches what an injector adds
 * (the defaults of https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go, seen on 1.34).
 */
interface Item {
  [field: string]: unknown
}

const list = (value: unknown): Item[] => (value ?? []) as Item[]

/** Returns the pod with the API's defaults. */
export function withDefaults<P>(pod: P): P {
  const copy = structuredClone(pod) as { spec: Item }
  const { spec } = copy
  for (const container of [...list(spec['initContainers']), ...list(spec['containers'])]) {
    fill(container, {
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      imagePullPolicy: 'IfNotPresent',
      resources: {},
    })
    for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const probe = container[name] as Item | undefined
      if (probe !== undefined)
        fill(probe, { periodSeconds: 10, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 3 })
    }
  }
  for (const volume of list(spec['volumes'])) {
    for (const kind of ['projected', 'downwardAPI', 'secret', 'configMap']) {
      const source = volume[kind] as Item | undefined
      if (source === undefined) continue
      fill(source, { defaultMode: 420 })
      for (const item of list(source['items']))
        if (item['fieldRef']) fill(item['fieldRef'] as Item, { apiVersion: 'v1' })
    }
  }
  fill(spec, {
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    securityContext: {},
  })
  return copy as P
}

function fill(into: Item, defaults: Item): void {
  for (const [field, value] of Object.entries(defaults)) if (into[field] === undefined) into[field] = value
}

/**
 * Returns what Istio's webhook adds after the injector: a native proxy before everything, which the kubelet probes
 * instead of the containers.
 */
export function withMesh<P>(pod: P): P {
  const copy = structuredClone(pod) as { spec: Item }
  const init = list(copy.spec['initContainers'])
  const containers = [...init, ...list(copy.spec['containers'])]
  for (const container of containers) {
    for (const [name, page] of [
      ['startupProbe', 'startupz'],
      ['livenessProbe', 'livez'],
    ] as const) {
      const probe = container[name] as Item | undefined
      const asked = probe?.['httpGet'] as Item | undefined
      if (asked !== undefined)
        Object.assign(asked, { path: `/app-health/${String(container['name'])}/${page}`, port: 15020 })
    }
  }
  const isThere = containers.some((container) => container['name'] === 'istio-proxy')
  if (!isThere) copy.spec['initContainers'] = [{ name: 'istio-proxy', image: 'mesh', restartPolicy: 'Always' }, ...init]
  copy.spec['volumes'] = [...list(copy.spec['volumes']), { name: 'istio-envoy', emptyDir: { medium: 'Memory' } }]
  return copy as P
}

/**
 * Returns what an unknown webhook adds to every container, including the injector's: an agent's variable, mount, hook
 * and resources.
 */
export function withAgent<P>(pod: P): P {
  const copy = structuredClone(pod) as { spec: Item }
  for (const container of [...list(copy.spec['initContainers']), ...list(copy.spec['containers'])]) {
    container['env'] = [{ name: 'AGENT_ID', value: 'one' }, ...list(container['env'])]
    container['volumeMounts'] = [...list(container['volumeMounts']), { name: 'agent', mountPath: '/var/run/agent' }]
  }
  copy.spec['volumes'] = [...list(copy.spec['volumes']), { name: 'agent', emptyDir: {} }]
  return copy as P
}

/**
 * What is left of a pod after a webhook that decodes it into types from before Kubernetes 1.34, such as azure-workload-identity 1.6.0: a source of
 * a variable that they do not know is empty.
 */
export function withOldTypes<P>(pod: P): P {
  const copy = structuredClone(pod) as { spec: Item }
  for (const container of [...list(copy.spec['initContainers']), ...list(copy.spec['containers'])])
    for (const variable of list(container['env'])) delete (variable['valueFrom'] as Item | undefined)?.['fileKeyRef']
  return copy as P
}

/** Returns the injector's containers and volumes in a pod. */
export function oursIn(pod: unknown): { containers: Item[]; volumes: Item[] } {
  const { spec } = pod as { spec: Item }
  const isOurs = ({ name }: Item): boolean => String(name).startsWith('akv-injector')
  return {
    containers: [...list(spec['initContainers']), ...list(spec['containers'])].filter(isOurs),
    volumes: list(spec['volumes']).filter(isOurs),
  }
}

const identityVolume = 'azure-identity-token'
const identityFolder = '/var/run/secrets/azure/wi/token'

/**
 * What the workload identity webhook adds to every container: a token, and variables of whose names none stands there already. Those
 * of a token proxy come with an identity binding alone.
 */
export function withWorkloadIdentity<P>(pod: P): P {
  const copy = structuredClone(pod) as { metadata?: { annotations?: Record<string, string> }; spec: Item }
  const isBound = copy.metadata?.annotations?.['azure.workload.identity/use-identity-binding'] === 'true'
  const variables = ['AZURE_CLIENT_ID', 'AZURE_TENANT_ID', 'AZURE_FEDERATED_TOKEN_FILE', 'AZURE_AUTHORITY_HOST']
  if (isBound) variables.push('AZURE_KUBERNETES_TOKEN_PROXY', 'AZURE_KUBERNETES_SNI_NAME', 'AZURE_KUBERNETES_CA_FILE')
  const has = (items: Item[], name: string): boolean => items.some((item) => item['name'] === name)
  for (const container of [...list(copy.spec['initContainers']), ...list(copy.spec['containers'])]) {
    const env = list(container['env'])
    const missing = variables.filter((name) => !has(env, name))
    container['env'] = [...env, ...missing.map((name) => ({ name, value: 'theirs' }))]
    const mounts = list(container['volumeMounts'])
    if (!has(mounts, identityVolume))
      container['volumeMounts'] = [...mounts, { name: identityVolume, mountPath: identityFolder, readOnly: true }]
  }
  const volumes = list(copy.spec['volumes'])
  if (!has(volumes, identityVolume))
    copy.spec['volumes'] = [...volumes, { name: identityVolume, projected: { sources: [] } }]
  return copy as P
}

/**
 * Returns a pod whose lists of variables, mounts and volumes, which depend on the order of webhooks, are sorted by
 * name.
 */
export function inOrder<P>(pod: P): P {
  const copy = structuredClone(pod) as { spec: Item }
  const sort = (of: Item, field: string): void => {
    const key = (item: Item): string => `${String(item['name'])} ${String(item['mountPath'])}`
    if (of[field] !== undefined) of[field] = list(of[field]).sort((a, b) => (key(a) < key(b) ? -1 : 1))
  }
  for (const container of [...list(copy.spec['initContainers']), ...list(copy.spec['containers'])]) {
    sort(container, 'env')
    sort(container, 'volumeMounts')
  }
  sort(copy.spec, 'volumes')
  return copy as P
}
