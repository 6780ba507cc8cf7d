import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Container, Pod, Volume } from './cluster.ts'

/** What a kubelet knows about a pod in addition to its spec. */
export interface Node {
  /** The folder for volumes, one folder each. */
  folder: string
  podIP: string
  /** Signs a ServiceAccount token of the pod for an audience and a number of seconds. */
  signToken: (audience: string, expiresIn: number) => Promise<string>
}

/** A folder of the node that a container sees at an absolute path. */
export interface Mount {
  source: string
  target: string
  readOnly: boolean
}

/** Everything needed to run a container: exactly what its spec says, with the values that only the node knows. */
export interface ContainerConfig {
  name: string
  /** The image's entrypoint is node. */
  command: string[]
  env: Record<string, string>
  mounts: Mount[]
}

/** Reads a container whose volumes {@link layOutVolumes} has created. */
export function containerConfig(pod: Pod, container: Container, node: Pick<Node, 'folder' | 'podIP'>): ContainerConfig {
  const env = (container.env ?? []).map(({ name, value, valueFrom }) => [
    name,
    value ?? field(pod, valueFrom?.fieldRef?.fieldPath ?? '', node.podIP),
  ])
  return {
    name: container.name,
    command: [...(container.command ?? ['node']), ...(container.args ?? [])],
    env: Object.fromEntries(env) as Record<string, string>,
    mounts: (container.volumeMounts ?? []).map(({ name, mountPath, readOnly = false, subPath = '' }) => ({
      source: join(node.folder, name, subPath),
      target: mountPath,
      readOnly,
    })),
  }
}

/** Creates every volume of the pod that the node itself fills: a folder, a token, the pod's own fields. */
export async function layOutVolumes(pod: Pod, node: Node): Promise<void> {
  for (const volume of pod.spec.volumes ?? []) {
    const folder = join(node.folder, volume.name)
    mkdirSync(folder, { recursive: true })
    // What a pod's containers write to is open to every user of them.
    if (volume.emptyDir) chmodSync(folder, 0o777)
    const files = await filesOf(volume, pod, node)
    if (files.length > 0) writeAtomically(folder, files)
  }
}

type File = [path: string, content: string]

async function filesOf({ projected, downwardAPI }: Volume, pod: Pod, node: Node): Promise<File[]> {
  const tokens = (projected?.sources ?? []).flatMap(({ serviceAccountToken }): Promise<File>[] => {
    if (!serviceAccountToken) return []
    const { audience = '', expirationSeconds = 3600, path } = serviceAccountToken
    return [node.signToken(audience, expirationSeconds).then((token) => [path, token])]
  })
  const fields = (downwardAPI?.items ?? []).map(({ path, fieldRef }): File => [
    path,
    field(pod, fieldRef?.fieldPath ?? '', node.podIP),
  ])
  return [...(await Promise.all(tokens)), ...fields]
}

/**
 * The kubelet's layout: files in a folder, `..data` as a link to it, and a link `<name>` -> `..data/<name>` for each
 * file.
 */
export function writeAtomically(folder: string, files: File[]): void {
  const current = `..${new Date().toISOString().replace(/\D/g, '_')}`
  mkdirSync(join(folder, current), { recursive: true })
  for (const [path, content] of files) writeFileSync(join(folder, current, path), content, { mode: 0o644 })
  symlinkSync(current, join(folder, '..data_tmp'))
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  for (const [path] of files) symlinkSync(join('..data', path), join(folder, path))
}

/** A field as `fieldRef` names it; an annotation that the pod lacks is empty, as from the kubelet. */
function field(pod: Pod, path: string, podIP: string): string {
  const annotation = /^metadata\.annotations\['(.+)'\]$/.exec(path)?.[1]
  if (annotation !== undefined) return pod.metadata.annotations?.[annotation] ?? ''
  if (path === 'status.podIP' || path === 'status.hostIP') return podIP
  const value = path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], pod)
  if (typeof value === 'string') return value
  throw new Error(`the demo's kubelet does not know the field ${path}`)
}
