import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../shared/log.ts'
import { accept, type Api } from './api.ts'

interface Table {
  columnDefinitions?: { name?: string }[]
  rows?: { cells?: unknown[] }[] | null
  metadata?: { continue?: string }
}

const interval = 600_000
const retry = 30_000

/**
 * Keeps the version of the oldest kubelet, read from the nodes every ten minutes: as a table without the objects, for a Node is
 * large. Where that is forbidden or fails it stays what it was, in the beginning unknown.
 */
export function watchKubelets({
  api,
  log,
  wait = (milliseconds, signal) => sleep(milliseconds, undefined, { signal }),
}: {
  api: Api
  log: Logger
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>
}): { oldest: () => string | undefined; asked: () => boolean; close: () => Promise<void> } {
  const closing = new AbortController()
  let oldest: string | undefined
  let asked = false

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      let pause = interval
      try {
        oldest = (await readVersions(api, closing.signal)).toSorted((a, b) => minorOf(a) - minorOf(b))[0]
      } catch (error) {
        if (closing.signal.aborted) return
        log.warn({ reason: (error as Error).message }, 'the versions of the kubelets are not known')
        pause = retry
      }
      asked = true
      await wait(pause, closing.signal).catch(() => undefined)
    }
  }

  const running = run()
  return {
    oldest: () => oldest,
    /** Whether an answer, be it a refusal, has come. */
    asked: () => asked,
    async close() {
      closing.abort()
      await running
    },
  }
}

async function readVersions(api: Api, closing: AbortSignal): Promise<string[]> {
  const versions: string[] = []
  let more: string | undefined
  do {
    const path = `/api/v1/nodes?limit=500&includeObject=None${more ? `&continue=${encodeURIComponent(more)}` : ''}`
    const signal = AbortSignal.any([closing, AbortSignal.timeout(30_000)])
    const table = (await api.call({ path, accept: accept.table, signal })) as Table
    const column = table.columnDefinitions?.findIndex(({ name }) => name === 'Version') ?? -1
    versions.push(
      ...(table.rows ?? []).map(({ cells }) => String(cells?.[column])).filter((text) => /^v1\.\d+/.test(text)),
    )
    more = table.metadata?.continue
  } while (more)
  return versions
}

const minorOf = (version: string): number => Number(/^v1\.(\d+)/.exec(version)?.[1])
