import { realClock, type Clock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/log.ts'
import { accept, type Api } from '../../shared/kubernetes/api.ts'

interface Table {
  columnDefinitions?: { name?: string }[]
  rows?: { cells?: unknown[] }[] | null
  metadata?: { continue?: string }
}
const fields = { columnDefinitions: { name: true }, rows: { cells: true }, metadata: { continue: true } } as const
/** Nodes of a page, and limit in bytes of JSON of a page: a row has some hundreds. */
const pageSize = 100
const largest = 512 * 1024

const intervalMs = 600_000
const retryMs = 30_000

/**
 * Follows the versions of the oldest kubelet and of the API server, read every ten minutes; those of the nodes as a table without the objects,
 * because Nodes are large. If reading is forbidden or fails, the last known versions stay; at first they are unknown.
 */
export function watchKubelets({
  api,
  log,
  clock = realClock,
}: {
  api: Api
  log: Logger
  clock?: Pick<Clock, 'wait'>
}): {
  oldest: () => string | undefined
  apiServer: () => string | undefined
  attempted: () => boolean
  close: () => Promise<void>
} {
  const closing = new AbortController()
  let oldest: string | undefined
  let apiServer: string | undefined
  let attempted = false

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      let pause = intervalMs
      const failed = (what: string) => (error: unknown) => {
        if (closing.signal.aborted) return undefined
        log.warn(
          { reason: (error as Error).message },
          `the versions of the ${what} could not be read; they are assumed to be unchanged`,
        )
        pause = retryMs
        return undefined
      }
      const [versions, server] = await Promise.all([
        readVersions(api, closing.signal).catch(failed('kubelets')),
        readApiServer(api, closing.signal).catch(failed('API server')),
      ])
      if (closing.signal.aborted) return
      if (versions !== undefined) oldest = versions.toSorted((a, b) => minorOf(a) - minorOf(b))[0]
      apiServer = server ?? apiServer
      attempted = true
      await clock.wait(pause, closing.signal)
    }
  }

  const running = run()
  return {
    oldest: () => oldest,
    apiServer: () => apiServer,
    /** Whether there was a response, even a failure. */
    attempted: () => attempted,
    async close() {
      closing.abort()
      await running
    },
  }
}

/** Anyone who is signed in may read it. {@link https://kubernetes.io/docs/reference/access-authn-authz/rbac/#discovery-roles} */
async function readApiServer(api: Api, closing: AbortSignal): Promise<string | undefined> {
  const signal = AbortSignal.any([closing, AbortSignal.timeout(30_000)])
  const request = { path: '/version', fields: { gitVersion: true }, limit: 4096, signal } as const
  const { gitVersion } = (await api.call(request)) as { gitVersion?: unknown }
  return /^v1\.\d[\w.+-]{0,60}/.exec(String(gitVersion))?.[0]
}

/** Returns each version once. */
async function readVersions(api: Api, closing: AbortSignal): Promise<string[]> {
  const versions = new Set<string>()
  let more: string | undefined
  do {
    const path = `/api/v1/nodes?limit=${pageSize}&includeObject=None${more ? `&continue=${encodeURIComponent(more)}` : ''}`
    const signal = AbortSignal.any([closing, AbortSignal.timeout(30_000)])
    const table = (await api.call({ path, accept: accept.table, fields, limit: largest, signal })) as Table
    const column = table.columnDefinitions?.findIndex(({ name }) => name === 'Version') ?? -1
    for (const { cells } of table.rows ?? []) {
      const version = /^v1\.\d[\w.+-]{0,60}/.exec(String(cells?.[column]))?.[0]
      if (version !== undefined) versions.add(version)
    }
    more = table.metadata?.continue
  } while (more)
  return [...versions]
}

const minorOf = (version: string): number => Number(/^v1\.(\d+)/.exec(version)?.[1])
