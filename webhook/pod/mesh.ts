import type { Settings } from '../../shared/settings.ts'
import type { Configuration } from '../configuration.ts'
import { unknownUrl } from '../identity.ts'
import type { Notes } from '../reasons.ts'
import { isOwn } from './ours.ts'
import { appContainers, initContainers, isNativeSidecar, type Pod } from './pod.ts'

/**
 * A proxy that is an ordinary container starts after the init containers, but traffic is sent its way before. So the sidecar,
 * which runs among them, could neither reach the vault nor be asked by the kubelet: its ports have to go around the proxy.
 * A native proxy needs none of it: it runs before the sidecar.
 */
interface Mesh {
  proxy: string
  /** Annotations of a pod that hold ports, split by comma, which go around the proxy. */
  outbound: string
  inbound: string
}

/** {@link https://istio.io/latest/docs/reference/config/annotations/} {@link https://linkerd.io/2/reference/proxy-configuration/} */
const meshes: Record<NonNullable<Configuration['classicMesh']>, Mesh> = {
  istio: {
    proxy: 'istio-proxy',
    outbound: 'traffic.sidecar.istio.io/excludeOutboundPorts',
    inbound: 'traffic.sidecar.istio.io/excludeInboundPorts',
  },
  linkerd: {
    proxy: 'linkerd-proxy',
    outbound: 'config.linkerd.io/skip-outbound-ports',
    inbound: 'config.linkerd.io/skip-inbound-ports',
  },
}

/**
 * The annotations that take the sidecar's traffic around a classic proxy, where the pod has none of them. A proxy that is in the
 * pod already has been set up without them, so that is a problem.
 * @param objectsKnown otherwise the pod is refused, and the settings do not have all of its objects
 */
export function meshAnnotations(
  pod: Pod,
  settings: Settings,
  objectsKnown: boolean,
  { classicMesh }: Pick<Configuration, 'classicMesh'>,
  notes: Notes,
): Record<string, string> {
  const has = pod.metadata?.annotations ?? {}
  const added: Record<string, string> = {}
  for (const [name, { proxy, outbound, inbound }] of Object.entries(meshes)) {
    const isInPod = appContainers(pod).some((container) => container.name === proxy)
    if (!isInPod && name !== classicMesh) continue
    const wanted = { [outbound]: outboundPorts(settings, objectsKnown), ...(settings.port === undefined ? {} : { [inbound]: String(settings.port) }) } // prettier-ignore
    const missing = Object.entries(wanted).filter(([annotation]) => !Object.hasOwn(has, annotation))
    if (!isInPod) Object.assign(added, Object.fromEntries(missing))
    else if (missing.length > 0)
      notes.problem('mesh', `container ${proxy} takes the sidecar's traffic before it runs itself: set the annotation${missing.length > 1 ? 's' : ''} ${missing.map(([annotation, ports]) => `${annotation}: "${ports}"`).join(' and ')}, or let the mesh use native sidecars`) // prettier-ignore
  }
  return added
}

/** Containers that all traffic of a pod may go through. */
const proxies: ReadonlySet<string> = new Set([
  ...Object.values(meshes).map(({ proxy }) => proxy),
  'kuma-sidecar',
  'consul-dataplane',
])

/**
 * Warns of a native proxy that another webhook has put behind our sidecar: it starts when ours is ready, and where the network is
 * closed until then, ours never is. Istio and Linkerd put theirs first, and a second pass moves nothing.
 */
export function warnOfLateProxies(pod: Pod, notes: Notes): void {
  const init = initContainers(pod)
  const behind = init.slice(init.findIndex(isOwn) + 1)
  for (const { name } of behind.filter((container) => isNativeSidecar(container) && proxies.has(container.name))) {
    notes.warn('late-proxy', `${name} starts after the sidecar, which cannot reach the vault through it: put it first`)
  }
}

/** The ports of every vault and of the sign-in. In a pod that is refused one may be unknown, and a guess would be taken for advice. */
function outboundPorts({ objects, clouds }: Settings, objectsKnown: boolean): string {
  const urls = [
    ...objects.map(({ vault }) => vault),
    ...Object.values(clouds).map(({ authorityHost }) => authorityHost),
  ]
  if (!objectsKnown || urls.includes(unknownUrl)) return '<the ports of vaults and sign-in>'
  const ports = new Set(urls.map((url) => (URL.parse(url)?.port ?? '') || '443'))
  return [...ports].toSorted((a, b) => Number(a) - Number(b)).join(',')
}
