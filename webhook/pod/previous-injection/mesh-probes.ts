import { appContainers, initContainers, type Container, type Pod } from '../pod.ts'

type ProbeName = 'startupProbe' | 'livenessProbe'
interface HttpProbe {
  httpGet?: { path: string; port: number }
}

/** A mesh that has the kubelet ask its proxy, which then asks the container. */
interface Rewriter {
  proxy: string
  /** Annotation of the pod that names the proxy's port. */
  portAnnotation: string
  defaultPorts: number[]
  path: (container: string, probe: ProbeName, asked: { path: string; port: number }) => string
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

/** A probe of our container as the meshes in the pod would rewrite it: none if there is no such mesh. */
export function rewrittenProbe(name: ProbeName, container: Container, pod: Pod): object[] {
  const probe = container[name] as HttpProbe | undefined
  const asked = probe?.httpGet
  if (asked === undefined) return []
  const present = new Set([...initContainers(pod), ...appContainers(pod)].map((one) => one.name))
  return rewriters
    .filter(({ proxy }) => present.has(proxy))
    .flatMap(({ portAnnotation, defaultPorts, path }) => {
      const annotated = Number(pod.metadata?.annotations?.[portAnnotation])
      const ports = Number.isInteger(annotated) && annotated > 0 ? [annotated] : defaultPorts
      return ports.map((port) => ({ ...probe, httpGet: { ...asked, path: path(container.name, name, asked), port } }))
    })
}
