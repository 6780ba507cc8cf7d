import { findingsOf, type Finding } from './finding.ts'
import { components, webhookContainer, type Installation } from './installation.ts'
import type { Read, Reader } from './reader.ts'

const { ok, warn, fail, unread } = findingsOf('versions')

/** The first minor version of Kubernetes with everything that the manifests contain. */
const firstSupported = 30
/** The first minor version of a kubelet with native sidecars. */
const firstNative = 29

export interface Node {
  status?: { nodeInfo?: { kubeletVersion?: string } }
}

export const readNodes = (reader: Reader): Promise<Read<Node[]>> =>
  reader.list<Node>('/api/v1/nodes', { status: { nodeInfo: { kubeletVersion: true } } })

/** Returns 37 for `v1.37.0`; undefined if it is no version. */
export function minorOf(version: string | undefined): number | undefined {
  const minor = /^v1\.(\d+)/.exec(version ?? '')?.[1]
  return minor === undefined ? undefined : Number(minor)
}

/** @param version of the API server */
export function judgeVersions(installation: Installation, version: string | undefined, nodes: Read<Node[]>): Finding[] {
  return [...judgeImages(installation), ...judgeKubernetes(version, nodes)]
}

function judgeImages({ namespace, halves }: Installation): Finding[] {
  const images = components.flatMap((component) => {
    const half = halves[component]
    return half === undefined ? [] : [{ name: half.metadata.name, image: webhookContainer(half)?.image ?? 'none' }]
  })
  const distinct = new Set(images.map(({ image }) => image))
  const place = `Deployments in ${namespace}`
  if (distinct.size <= 1) return [ok(place, `run ${[...distinct].join()}`)]
  const list = images.map(({ name, image }) => `${name} runs ${image}`).join(', ')
  return [
    fail(place, `run different images: ${list}`, 'set the image with `images:` in your overlay, which changes both'),
  ]
}

function judgeKubernetes(version: string | undefined, nodes: Read<Node[]>): Finding[] {
  const place = 'Kubernetes'
  const minor = minorOf(version)
  if (minor === undefined) return [unread(place, 'the API server does not tell its version')]
  const findings: Finding[] = []
  if (minor < firstSupported)
    findings.push(
      warn(
        place,
        `the API server is ${version}, which is older than v1.${firstSupported}`,
        'see installation.md#older-clusters, or upgrade',
      ),
    )
  if (nodes.kind === 'unread') findings.push(unread('nodes', nodes.reason))
  const kubelets =
    nodes.kind === 'found' ? nodes.value.flatMap(({ status }) => status?.nodeInfo?.kubeletVersion ?? []) : []
  const oldest = kubelets.toSorted((a, b) => (minorOf(a) ?? 0) - (minorOf(b) ?? 0))[0]
  const oldestMinor = minorOf(oldest)
  if (oldestMinor !== undefined && oldestMinor < firstNative)
    findings.push(
      warn(
        'nodes',
        `the oldest kubelet is ${oldest}, which has no native sidecars, so that pods get the mode classic or once`,
        `upgrade the nodes to v1.${firstNative}`,
      ),
    )
  if (findings.length > 0) return findings
  const kubelet = oldest === undefined ? '' : `, the oldest kubelet ${oldest}`
  return [ok(place, `the API server is ${version}${kubelet}`)]
}
