import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { Cluster } from './cluster.ts'
import type { ServiceAccount } from '../identity.ts'
import type { Namespace } from '../plan.ts'

interface Manifest {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
}

/**
 * A cluster for trying out: `namespaces/<name>.yaml` and `serviceaccounts/<namespace>/<name>.yaml` in a folder stand for the
 * API server's objects and are read anew for each review. A namespace without a file has no labels.
 */
export function folderCluster(folder: string): Cluster {
  const read = async (...path: string[]): Promise<Manifest | undefined> => {
    // Names come from requests: none may lead out of the folder.
    if (path.some((part) => !/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(part))) return undefined
    const text = await readFile(`${join(folder, ...path)}.yaml`, 'utf8').catch(() => undefined)
    return text === undefined ? undefined : (parse(text) as Manifest)
  }
  return {
    async namespace(name) {
      const metadata = (await read('namespaces', name))?.metadata ?? {}
      const value: Namespace = { name, labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {} }
      return { value, cached: false }
    },
    async serviceAccount(namespace, name) {
      const manifest = await read('serviceaccounts', namespace, name)
      const value: ServiceAccount | undefined = manifest && { annotations: manifest.metadata?.annotations ?? {} }
      return { value, cached: false }
    },
    oldestKubelet: () => undefined,
    notReady: () => undefined,
    close: async () => {},
  }
}
