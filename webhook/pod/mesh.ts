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
  /** Annotations that name what goes through the proxy, if that is not everything. */
  through?: { outbound: string; addresses: string; inbound: string }
  /** Whether a pod that lacks an annotation has that of its Namespace. */
  inherits?: true
  /** Whether its proxy takes a pod's traffic only if it is set up so, and the administrator has to say that it is. */
  onlyIfConfigured?: true
}

/**
 * {@link https://istio.io/latest/docs/reference/config/annotations/} {@link https://linkerd.io/2/reference/proxy-configuration/}
 * {@link https://kuma.io/docs/latest/reference/kubernetes-annotations/}
 * {@link https://developer.hashicorp.com/consul/docs/reference/k8s/annotation-label}
 */
const meshes: Record<NonNullable<Configuration['classicMesh']>, Mesh> = {
  istio: {
    proxy: 'istio-proxy',
    outbound: 'traffic.sidecar.istio.io/excludeOutboundPorts',
    inbound: 'traffic.sidecar.istio.io/excludeInboundPorts',
    through: {
      outbound: 'traffic.sidecar.istio.io/includeOutboundPorts',
      addresses: 'traffic.sidecar.istio.io/includeOutboundIPRanges',
      inbound: 'traffic.sidecar.istio.io/includeInboundPorts',
    },
  },
  linkerd: {
    proxy: 'linkerd-proxy',
    outbound: 'config.linkerd.io/skip-outbound-ports',
    inbound: 'config.linkerd.io/skip-inbound-ports',
    inherits: true,
  },
  kuma: {
    proxy: 'kuma-sidecar',
    outbound: 'traffic.kuma.io/exclude-outbound-ports',
    inbound: 'traffic.kuma.io/exclude-inbound-ports',
  },
  consul: {
    proxy: 'consul-dataplane',
    outbound: 'consul.hashicorp.com/transparent-proxy-exclude-outbound-ports',
    inbound: 'consul.hashicorp.com/transparent-proxy-exclude-inbound-ports',
    onlyIfConfigured: true,
  },
}

/** The annotations of Namespaces that a decision reads beside the injector's own. */
export const meshNamespaceAnnotations: readonly string[] = Object.values(meshes)
  .filter(({ inherits }) => inherits)
  .flatMap(({ outbound, inbound }) => [outbound, inbound])

/** The annotations that a mesh reads on a pod, and those that the pod inherits from its Namespace. */
interface Written {
  pod: Record<string, string>
  namespace: Record<string, string>
}

/**
 * The annotations that take the sidecar's traffic around a classic proxy: the pod's own lists with the ports that they lack. A
 * proxy that is in the pod already has been set up without them, so that is a problem.
 * @param objectsKnown otherwise the pod is refused, and the settings do not have all of its objects
 */
export function meshAnnotations(
  pod: Pod,
  settings: Settings,
  objectsKnown: boolean,
  {
    namespace,
    classicMesh,
  }: { namespace: Written['namespace']; classicMesh: Configuration['classicMesh'] | undefined },
  notes: Notes,
): Record<string, string> {
  const written: Written = { pod: pod.metadata?.annotations ?? {}, namespace }
  const added: Record<string, string> = {}
  for (const [name, mesh] of Object.entries(meshes)) {
    const isInPod = appContainers(pod).some((container) => container.name === mesh.proxy)
    if (name !== classicMesh && (!isInPod || mesh.onlyIfConfigured)) continue
    const missing = missingPorts(mesh, written, settings, objectsKnown, notes)
    if (!isInPod) Object.assign(added, Object.fromEntries(missing))
    else if (missing.length > 0)
      notes.problem('mesh', `container ${mesh.proxy} takes the sidecar's traffic before it runs itself: set the annotation${missing.length > 1 ? 's' : ''} ${missing.map(([annotation, ports]) => `${annotation}: "${ports}"`).join(' and ')}, or let the mesh use native sidecars`) // prettier-ignore
  }
  return added
}

/** The annotations of a mesh whose lists of ports lack some of the sidecar's, with the lists as they should be. */
function missingPorts(
  { outbound, inbound, through, inherits }: Mesh,
  { pod, namespace }: Written,
  settings: Settings,
  objectsKnown: boolean,
  notes: Notes,
): [annotation: string, ports: string][] {
  const wanted: Record<string, string[]> = {
    [outbound]: outboundPorts(settings, objectsKnown),
    [inbound]: settings.port === undefined ? [] : [String(settings.port)],
  }
  for (const annotation of through === undefined ? [] : [through.outbound, through.inbound]) {
    const ports = wanted[annotation === through?.outbound ? outbound : inbound] ?? []
    const taken = ports.filter((port) => pod[annotation] !== '*' && covers(pod[annotation], port)).join(', ')
    if (taken !== '' && annotation === through?.outbound)
      notes.warn('mesh-ports', `${annotation} names ${taken}, which goes around the proxy for the sidecar's sake`)
    else if (taken !== '')
      notes.problem('mesh', `annotation ${annotation} names ${taken}, on which the sidecar is probed before the proxy runs: take it out, or have the administrator set sidecarPort`) // prettier-ignore
    else if (annotation === through?.inbound && pod[annotation] !== undefined && pod[annotation] !== '*')
      delete wanted[inbound]
  }
  return Object.entries(wanted).flatMap(([annotation, ports]): [string, string][] => {
    const list = pod[annotation] ?? (inherits ? namespace[annotation] : undefined)
    const lacking = ports.filter((port) => !covers(list, port))
    return lacking.length > 0 ? [[annotation, appended(list, lacking)]] : []
  })
}

const entriesOf = (list = ''): string[] => list.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '') // prettier-ignore

/** Whether a list of ports (`25`, `400-500`, `*`) has one in it. */
const covers = (list: string | undefined, port: string): boolean =>
  entriesOf(list).some((entry) => {
    const [, first, last = first] = /^(\d+)(?:\s*-\s*(\d+))?$/.exec(entry) ?? []
    return entry === '*' || (Number(first) <= Number(port) && Number(port) <= Number(last))
  })

/** A list with more ports at its end; what the user wrote stays as it is, whatever the mesh makes of it. */
const appended = (list: string | undefined, ports: string[]): string => [...entriesOf(list), ...ports].join(',')

/** Containers that all traffic of a pod may go through. */
const proxies: ReadonlySet<string> = new Set([...Object.values(meshes).map(({ proxy }) => proxy)])

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
function outboundPorts({ objects, clouds }: Settings, objectsKnown: boolean): string[] {
  const urls = [
    ...objects.map(({ vault }) => vault),
    ...Object.values(clouds).map(({ authorityHost }) => authorityHost),
  ]
  if (!objectsKnown || urls.includes(unknownUrl)) return ['<the ports of vaults and sign-in>']
  const ports = new Set(urls.map((url) => (URL.parse(url)?.port ?? '') || '443'))
  return [...ports].toSorted((a, b) => Number(a) - Number(b))
}
