import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

/** A webhook to measure: its objects' names, and a pod that it injects. */
export interface Peer {
  /** The archive of its image, of docker or OCI, and its manifests; absent for what is installed already. */
  image?: string
  manifests?: string
  namespace: string
  deployment: string
  /** The name of its MutatingWebhookConfiguration. */
  configuration: string
  /** The name of the entry there that adds the sidecar; by default the first. */
  entry?: string
  pod: object
}

interface Manifest {
  kind?: string
  metadata?: { name?: string; namespace?: string }
}

const files = ['image.tar', 'manifests.yaml', 'pod.yaml'] as const

/**
 * Reads the folder of a peer: `image.tar`, `manifests.yaml` with one Deployment and one MutatingWebhookConfiguration, and `pod.yaml`.
 * @throws Error that says what is missing
 */
export function readPeer(folder: string): Peer {
  const missing = files.filter((file) => !existsSync(join(folder, file)))
  if (missing.length > 0) throw new Error(`${folder} has no ${missing.join(', ')}`)
  const [image, manifests, podFile] = files.map((file) => join(folder, file)) as [string, string, string]
  const objects = read(manifests)
  const deployment = only(objects, 'Deployment', manifests)
  const [pod] = read(podFile)
  if (pod?.kind !== 'Pod') throw new Error(`${podFile} has no Pod`)
  return {
    image,
    manifests,
    namespace: deployment.namespace ?? 'default',
    deployment: deployment.name ?? '',
    configuration: only(objects, 'MutatingWebhookConfiguration', manifests).name ?? '',
    pod,
  }
}

const read = (file: string): Manifest[] =>
  parseAllDocuments(readFileSync(file, 'utf8')).flatMap((document) => {
    const object = document.toJS() as Manifest | null
    return object === null ? [] : [object]
  })

function only(objects: Manifest[], kind: string, file: string): NonNullable<Manifest['metadata']> {
  const [found, ...others] = objects.filter((object) => object.kind === kind)
  if (found?.metadata?.name === undefined) throw new Error(`${file} has no ${kind}`)
  if (others.length > 0) throw new Error(`${file} has more than one ${kind}`)
  return found.metadata
}
