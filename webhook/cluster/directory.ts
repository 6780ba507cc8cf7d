import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { realClock, type Clock } from '../../shared/clock.ts'
import type { Cluster, LookupOptions } from './cluster.ts'
import type { Namespace, ServiceAccount } from '../plan/inputs.ts'

interface Manifest {
  spec?: unknown
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
}

/**
 * A cluster to try the webhook out: `namespaces/<name>.yaml`, `serviceaccounts/<namespace>/<name>.yaml` and
 * `secretproviderclasses/<namespace>/<name>.yaml` in a folder replace the API server's objects. They are read at most once a second. A
 * namespace without a file has no labels.
 */
export function createFolderCluster(folder: string, clock: Pick<Clock, 'elapsed'> = realClock): Cluster {
  const known = new Map<string, { manifest: Promise<Manifest | undefined>; until: number }>()

  async function readNow(file: string): Promise<Manifest | undefined> {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    return text === undefined ? undefined : ((parse(text) ?? {}) as Manifest)
  }

  async function read(path: string[], { live = false }: LookupOptions = {}): Promise<Manifest | undefined> {
    // Names come from requests, so they must not lead out of the folder.
    if (path.some((part) => !/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(part))) return undefined
    const file = `${join(folder, ...path)}.yaml`
    const before = known.get(file)
    if (before !== undefined && before.until > clock.elapsed() && !live) return before.manifest
    const manifest = readNow(file)
    if (known.size >= 1000) known.clear()
    known.set(file, { manifest, until: clock.elapsed() + 1000 })
    return manifest
  }

  return {
    async namespace(name, options) {
      const metadata = (await read(['namespaces', name], options))?.metadata ?? {}
      const value: Namespace = { name, labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {} }
      return { value, cached: !options?.live }
    },
    async serviceAccount(namespace, name, options) {
      const manifest = await read(['serviceaccounts', namespace, name], options)
      const value: ServiceAccount | undefined = manifest && { annotations: manifest.metadata?.annotations ?? {} }
      return { value, cached: !options?.live }
    },
    async secretProviderClass(namespace, name, options) {
      const manifest = await read(['secretproviderclasses', namespace, name], options)
      return { value: manifest === undefined ? 'absent' : { spec: manifest.spec }, cached: !options?.live }
    },
    limitRanges: async () => ({ value: [], cached: false }),
    oldestKubelet: () => undefined,
    apiServer: () => undefined,
    notReady: () => undefined,
    close: async () => {},
  }
}
