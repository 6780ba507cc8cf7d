import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../shared/log.ts'
import { accept, type Api } from './api.ts'

interface Table {
  columnDefinitions?: { name?: string }[]
  rows?: { cells?: unknown[] }[] | null
  metadata?: { continue?: string }
}
const fields = { columnDefinitions: { name: true }, rows: { cells: true }, metadata: { continue: true } } as const
/** Nodes of a page, and bytes of JSON read of it: a row has some hundreds. */
const pageSize = 100
const largest = 512 * 1024

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

/** Each version once. */
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
