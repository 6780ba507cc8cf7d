import { appContainers, initContainers, type Container, type Pod } from '../pod.ts'

type ProbeName = 'startupProbe' | 'livenessProbe'
interface HttpProbe {
  httpGet?: { path: string; port: number }
}

/** A mesh that rewrites probes so that the kubelet probes its proxy, which then probes the container. */
interface Rewriter {
  proxy: string
  /** The pod annotation with the proxy's port. */
  portAnnotation: string
  defaultPorts: number[]
  path: (container: string, probe: ProbeName, original: { path: string; port: number }) => string
}

/**
 * {@link https://istio.io/latest/docs/ops/configuration/mesh/app-health-check/}
 * {@link https://kuma.io/docs/latest/policies/service-health-probes/}
 */
const rewriters: readonly Rewriter[] = [
  {
    proxy: 'istio-proxy',
    portAnnotation: 'status.sidecar.istio.io/port',
    defaultPorts: [15020],
    path: (container, probe) => `/app-health/${container}/${probe === 'startupProbe' ? 'startupz' : 'livez'}`,
  },
  {
    proxy: 'kuma-sidecar',
    portAnnotation: 'kuma.io/application-probe-proxy-port',
    defaultPorts: [9001, 9000],
    path: (_container, _probe, { path, port }) => `/${port}${path}`,
  },
]

/** Returns an injected container's probe as each mesh in the pod would rewrite it; empty if there is no such mesh. */
export function rewrittenProbe(name: ProbeName, container: Container, pod: Pod): object[] {
  const probe = container[name] as HttpProbe | undefined
  const original = probe?.httpGet
  if (original === undefined) return []
  const present = new Set([...initContainers(pod), ...appContainers(pod)].map((one) => one.name))
  return rewriters
    .filter(({ proxy }) => present.has(proxy))
    .flatMap(({ portAnnotation, defaultPorts, path }) => {
      const annotated = Number(pod.metadata?.annotations?.[portAnnotation])
      const ports = Number.isInteger(annotated) && annotated > 0 ? [annotated] : defaultPorts
      return ports.map((port) => ({
        ...probe,
        httpGet: { ...original, path: path(container.name, name, original), port },
      }))
    })
}
