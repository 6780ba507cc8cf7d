import { kubectl, get } from '../../e2e/support/kubectl.ts'
import { eventually } from '../../e2e/support/eventually.ts'
import type { Peer } from './folder.ts'

/** A webhook's only pod, and how its registration says it is called. */
export interface Target {
  namespace: string
  pod: string
  node: string
  container: string
  port: number
  path: string
  servername: string
  ca: string
}

interface Registration {
  webhooks: {
    name: string
    clientConfig: { caBundle?: string; service: { name: string; namespace: string; path?: string; port?: number } }
  }[]
}
interface Service {
  spec: { selector: Record<string, string>; ports: { port: number; targetPort: number | string }[] }
}
interface Pods {
  items: {
    metadata: { name: string; deletionTimestamp?: string }
    spec: { nodeName: string; containers: { name: string; ports?: { name?: string; containerPort: number }[] }[] }
  }[]
}

/** Finds the pod that answers an entry of a registration; its authority may be written there only after a while. */
export async function findTarget({ namespace, deployment, configuration, entry }: Peer): Promise<Target> {
  await kubectl(['rollout', 'status', '-n', namespace, `deployment/${deployment}`, '--timeout=180s'])
  const { service, caBundle = '' } = await eventually('the registration has an authority', async () => {
    const { webhooks } = await get<Registration>('default', 'mutatingwebhookconfiguration', configuration)
    const { clientConfig } = webhooks.find(({ name }) => name === (entry ?? name)) ?? {}
    return (clientConfig?.caBundle ?? '') !== '' && clientConfig
  })
  const { selector, ports } = (await get<Service>(service.namespace, 'service', service.name)).spec
  const labels = Object.entries(selector).map(([name, value]) => `${name}=${value}`)
  const pod = await eventually('one pod answers', async () => {
    const { items } = await get<Pods>(service.namespace, 'pods', '-l', labels.join(','))
    const running = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    return running.length === 1 && running[0]
  })
  const { targetPort } = ports.find(({ port }) => port === (service.port ?? 443)) ?? { targetPort: service.port ?? 443 }
  const [found] = pod.spec.containers.flatMap(({ name, ports = [] }) =>
    ports
      .filter((port) => port.name === targetPort || port.containerPort === targetPort)
      .map(({ containerPort }) => ({ container: name, port: containerPort })),
  )
  if (found === undefined) throw new Error(`no container of ${pod.metadata.name} has the port ${targetPort}`)
  return {
    ...found,
    ...{ namespace: service.namespace, pod: pod.metadata.name, node: pod.spec.nodeName },
    path: service.path ?? '/',
    servername: `${service.name}.${service.namespace}.svc`,
    ca: Buffer.from(caBundle, 'base64').toString('utf8'),
  }
}

/** What the kubelet counts of a container. */
export interface Usage {
  /** Milliseconds since 1970. */
  at: number
  /** Milliseconds of processor time since its start. */
  cpu: number
  /** Anonymous memory in MB. */
  anonymous: number
}

interface Summary {
  pods: {
    podRef: { name: string; namespace: string }
    containers: {
      name: string
      cpu?: { time: string; usageCoreNanoSeconds?: number }
      memory?: { rssBytes?: number }
    }[]
  }[]
}

/** Asks the kubelet, which looks about every ten seconds. {@link https://kubernetes.io/docs/reference/instrumentation/node-metrics/} */
export async function usage({ node, namespace, pod, container }: Target): Promise<Usage | undefined> {
  const path = `/api/v1/nodes/${node}/proxy/stats/summary`
  const { pods } = JSON.parse(await kubectl(['get', '--raw', path])) as Summary
  const { cpu, memory } =
    pods
      .find(({ podRef }) => podRef.name === pod && podRef.namespace === namespace)
      ?.containers.find(({ name }) => name === container) ?? {}
  if (cpu?.usageCoreNanoSeconds === undefined || memory?.rssBytes === undefined) return undefined
  return { at: Date.parse(cpu.time), cpu: cpu.usageCoreNanoSeconds / 1e6, anonymous: memory.rssBytes / 1e6 }
}

/** Waits for figures that were taken after a time, in milliseconds since 1970. */
export const usageAfter = (target: Target, time: number): Promise<Usage> =>
  eventually('the kubelet looks again', async () => {
    const now = await usage(target)
    return now !== undefined && now.at > time && now
  })
