import type { Settings } from '../../shared/settings/codec.ts'
import type { Configuration } from '../configuration/configuration.ts'
import { unknownUrl } from './identity.ts'
import type { Diagnostics } from '../reasons.ts'
import type { PlanContext } from './context.ts'
import { isOwn } from '../pod/previous-injection.ts'
import { appContainers, initContainers, isNativeSidecar, type Pod } from '../pod/pod.ts'

/**
 * A service mesh. A proxy that is an ordinary container starts after the init containers, but the pod's traffic is redirected to it from
 * the start. The sidecar, which runs among the init containers, could then neither reach the vault nor be probed by the kubelet, so its
 * ports must bypass the proxy. A native proxy runs before the sidecar and needs none of this.
 */
interface Mesh {
  proxy: string
  /** Pod annotations with a comma-separated list of ports that bypass the proxy. */
  outbound: string
  inbound: string
  /** Annotations with what goes through the proxy, if it is not everything. */
  through?: { outbound: string; addresses: string; inbound: string }
  /** A pod without an annotation inherits it from its Namespace. */
  inherits?: true
  /** The proxy takes a pod's traffic only if it is configured to, which the administrator has to declare. */
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

/** Namespace annotations of meshes that a decision reads. */
export const meshNamespaceAnnotations: readonly string[] = Object.values(meshes)
  .filter(({ inherits }) => inherits)
  .flatMap(({ outbound, inbound }) => [outbound, inbound])

/** The annotations of a pod and of its Namespace. */
interface Annotations {
  pod: Record<string, string>
  namespace: Record<string, string>
}

/**
 * Returns the annotations that make the sidecar's traffic bypass a classic proxy: the pod's own lists, extended by the missing ports. If
 * the proxy is already in the pod, it was configured without them, which is a problem.
 * @param complete false if objects may be missing from the settings; the pod is denied then
 */
export function meshAnnotations(
  { pod, namespace, configuration: { classicMesh }, diagnostics }: PlanContext,
  settings: Settings,
  complete: boolean,
): Record<string, string> {
  const written: Annotations = { pod: pod.metadata?.annotations ?? {}, namespace: namespace.annotations }
  const ports = {
    outbound: outboundPorts(settings, complete),
    inbound: settings.port === undefined ? [] : [String(settings.port)],
  }
  const added: Record<string, string> = {}
  for (const [name, mesh] of Object.entries(meshes)) {
    const isInPod = appContainers(pod).some((container) => container.name === mesh.proxy)
    if (name !== classicMesh && (!isInPod || mesh.onlyIfConfigured)) continue
    const missing = missingPorts(mesh, written, ports, diagnostics)
    if (!isInPod) Object.assign(added, Object.fromEntries(missing))
    else if (missing.length > 0)
      diagnostics.problem(
        'mesh',
        `container ${mesh.proxy} intercepts the sidecar's traffic before it runs: set the annotation${missing.length > 1 ? 's' : ''} ${missing.map(([annotation, list]) => `${annotation}: "${list}"`).join(' and ')}, or configure the mesh to use native sidecars`,
      )
  }
  return added
}

/** Returns the mesh annotations whose lists lack some of the sidecar's ports, with the lists as they should be. */
function missingPorts(
  { outbound, inbound, through, inherits }: Mesh,
  { pod, namespace }: Annotations,
  ports: { outbound: string[]; inbound: string[] },
  diagnostics: Diagnostics,
): [annotation: string, ports: string][] {
  for (const annotation of [outbound, inbound, through?.outbound, through?.inbound]) {
    if (annotation === undefined || !isTooLong(pod[annotation], namespace[annotation])) continue
    diagnostics.problem('mesh', `annotation ${annotation} has more than ${longestList} characters: shorten it`)
    return []
  }
  const wanted: Record<string, string[]> = {
    [outbound]: ports.outbound,
    [inbound]: ports.inbound,
  }
  for (const annotation of through === undefined ? [] : [through.outbound, through.inbound]) {
    const bypassing = annotation === through?.outbound ? ports.outbound : ports.inbound
    const taken = bypassing.filter((port) => pod[annotation] !== '*' && covers(pod[annotation], port)).join(', ')
    if (taken !== '' && annotation === through?.outbound)
      diagnostics.warn('mesh-ports', `remove ${taken} from ${annotation}: the sidecar needs it to bypass the proxy`)
    else if (taken !== '')
      diagnostics.problem(
        'mesh',
        `annotation ${annotation} names ${taken}, on which the sidecar is probed before the proxy runs: remove it, or have the administrator set sidecarPort`,
      )
    else if (annotation === through?.inbound && pod[annotation] !== undefined && pod[annotation] !== '*')
      delete wanted[inbound]
  }
  return Object.entries(wanted).flatMap(([annotation, needed]): [string, string][] => {
    const list = pod[annotation] ?? (inherits ? namespace[annotation] : undefined)
    const missing = needed.filter((port) => !covers(list, port))
    return missing.length > 0 ? [[annotation, appended(list, missing)]] : []
  })
}

/** UTF-16 units of a list of ports. */
const longestList = 16 * 1024
const isTooLong = (...lists: (string | undefined)[]): boolean => lists.some((list = '') => list.length > longestList)

const entriesOf = (list = ''): string[] =>
  list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')

/** Whether a list of ports (`25`, `400-500`, `*`) contains a port. */
const covers = (list: string | undefined, port: string): boolean =>
  entriesOf(list).some((entry) => {
    const [, first, last = first] = /^(\d+)(?:\s*-\s*(\d+))?$/.exec(entry) ?? []
    return entry === '*' || (Number(first) <= Number(port) && Number(port) <= Number(last))
  })

/** Appends ports to a list. The user's own entries stay as they are, even if the mesh ignores them. */
const appended = (list: string | undefined, ports: string[]): string => [...entriesOf(list), ...ports].join(',')

/** Containers that may receive all traffic of a pod. */
const proxies: ReadonlySet<string> = new Set([...Object.values(meshes).map(({ proxy }) => proxy)])

/**
 * Warns of a native proxy behind the sidecar, where another webhook placed it, or behind an init container of the app: it starts once the
 * sidecar is ready, which never happens if the network is closed until the proxy runs. Istio and Linkerd place theirs first, and a second
 * pass moves no container.
 */
export function warnOfLateProxies(pod: Pod, diagnostics: Diagnostics): void {
  const init = initContainers(pod)
  const behind = init.slice(init.findIndex(isOwn) + 1)
  for (const { name } of behind.filter((container) => isNativeSidecar(container) && proxies.has(container.name))) {
    diagnostics.warn(
      'late-proxy',
      `put ${name} before the sidecar: it starts after it, so the sidecar cannot reach the vault through it`,
    )
  }
}

/** Returns the ports of every vault and of the sign-in; a placeholder if one is unknown, because a guess would be taken for advice. */
function outboundPorts({ objects, find, clouds }: Settings, complete: boolean): string[] {
  const urls = [
    ...[...objects, ...(find?.finds ?? [])].map(({ vault }) => vault),
    ...Object.values(clouds).map(({ authorityHost }) => authorityHost),
  ]
  if (!complete || urls.includes(unknownUrl)) return ['<the ports of vaults and sign-in>']
  const ports = new Set(Array.from(new Set(urls), (url) => (URL.parse(url)?.port ?? '') || '443'))
  return [...ports].toSorted((a, b) => Number(a) - Number(b))
}
