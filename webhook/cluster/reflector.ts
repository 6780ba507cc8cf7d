import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../shared/log.ts'
import type { OnLimited } from '../limits.ts'
import { accept, ApiError, type Api } from './api.ts'
import type { Fields } from './json-fields.ts'
import { Store, type StoreLimits } from './store.ts'

export interface Metadata {
  name?: string
  namespace?: string
  resourceVersion?: string
  continue?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}
/** An object as far as a reflector is concerned. */
export interface Meta {
  metadata?: Metadata
}
interface WatchEvent<O> {
  type?: string
  object?: O & { code?: number; message?: string }
}

export interface ReflectorOptions<T, O extends Meta = Meta> {
  api: Api
  /** Of the collection, such as `/api/v1/serviceaccounts`. */
  path: string
  /** Whole objects instead of their metadata. */
  whole?: boolean
  /** The cluster may not know the kind: that is asked again once a minute, and told nobody. */
  mayBeAbsent?: boolean
  /** What is read of an object beside its name, namespace and version. */
  fields: Fields
  /** What is kept of that: hundreds of bytes of most objects. */
  keep: (object: O) => T
  limits: StoreLimits
  onLimited?: OnLimited | undefined
  log: Logger
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>
  now?: () => number
  random?: () => number
  /** A watch that brings nothing for so long (milliseconds), not even a bookmark (one a minute), is taken for lost. */
  silence?: number
}

/** A copy of a collection's metadata that follows the API server. */
export interface Reflector<T> {
  get(namespace: string | undefined, name: string): T | undefined
  /** Those of a namespace. */
  all(namespace: string): T[]
  readonly size: number
  /** Whether there is a copy, and word from the API server not long ago. */
  fresh(): boolean
  /** Whether there has ever been a copy, however old by now. */
  read(): boolean
  close(): Promise<void>
}

/** Small, since tenants can make each object as large as the API server takes. */
const pageSize = 100
/** Bytes of JSON read of one object; a larger one is not cached. */
const largest = 16 * 1024
/** After so long without word what is cached is not believed. */
const staleAfter = 600_000
const backoff = { first: 500, most: 30_000 }
/** How long an absent kind is left alone. */
const absence = 60_000

/**
 * Lists a collection page by page, then watches it from there; begins anew when the API server has forgotten the version, and
 * goes on through every failure until `close()`.
 */
export function reflect<T, O extends Meta = Meta>(options: ReflectorOptions<T, O>): Reflector<T> {
  const { api, path, keep, log, whole = false, mayBeAbsent = false, now = Date.now, random = Math.random } = options
  const { wait = (milliseconds, signal) => sleep(milliseconds, undefined, { signal }), silence = 180_000 } = options
  const closing = new AbortController()
  const { fields, limits, onLimited = () => undefined } = options
  let objects = new Store<T>(limits)
  let version: string | undefined
  let heard = -Infinity
  let read = false
  const fresh = (): boolean => now() - heard < staleAfter

  function put(store: Store<T>, object: O, isCut: boolean): void {
    const { namespace = '', name = '' } = object.metadata ?? {}
    if (isCut) {
      onLimited('cached-object')
      store.delete(namespace, name)
    } else if (!store.set(namespace, name, keep(object))) onLimited('cached-objects')
  }

  async function list(): Promise<void> {
    const next = new Store<T>(limits)
    let page: Meta = { metadata: {} }
    do {
      const more = page.metadata?.continue ? `&continue=${encodeURIComponent(page.metadata.continue)}` : ''
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(60_000)])
      page = (await api.call({
        path: `${path}?limit=${pageSize}${more}`,
        ...(whole ? {} : { accept: accept.metadataList }),
        fields: { metadata: { continue: true, resourceVersion: true }, items: fields },
        limit: largest,
        onItem: (object, isCut) => put(next, object as O, isCut),
        signal,
      })) as Meta
    } while (page.metadata?.continue)
    objects = next
    version = page.metadata?.resourceVersion
    read = true
    heard = now()
  }

  function apply({ type, object }: WatchEvent<O>, isCut: boolean): void {
    if (type === 'ERROR') throw new ApiError(object?.code ?? 500, object?.message ?? 'the watch failed')
    const { namespace = '', name = '', resourceVersion } = object?.metadata ?? {}
    if (type === 'DELETED') objects.delete(namespace, name)
    else if (object && (type === 'ADDED' || type === 'MODIFIED')) put(objects, object, isCut)
    version = resourceVersion ?? version
  }

  /** Resolves when the API server has ended the watch, as it does every few minutes. */
  async function watch(): Promise<void> {
    const quiet = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const listen = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => quiet.abort(), silence).unref()
    }
    const hear = (): void => {
      heard = now()
      listen()
    }
    // To ask is not to hear: an API server that refuses every watch is silent for all that.
    listen()
    const seconds = Math.round(300 + random() * 300)
    try {
      await api.follow(
        {
          path: `${path}?watch=1&allowWatchBookmarks=true&timeoutSeconds=${seconds}&resourceVersion=${version ?? ''}`,
          ...(whole ? {} : { accept: accept.metadata }),
          fields: { type: true, object: { code: true, message: true, ...(fields === true ? {} : fields) } },
          limit: largest,
          signal: AbortSignal.any([closing.signal, quiet.signal]),
        },
        (event, isCut) => {
          hear()
          apply(event as WatchEvent<O>, isCut)
        },
      )
      hear()
    } catch (error) {
      if (!quiet.signal.aborted) throw error
    } finally {
      clearTimeout(timer)
    }
  }

  async function run(): Promise<void> {
    let failures = 0
    while (!closing.signal.aborted) {
      const before = heard
      let least = 0
      try {
        // A watch goes on from any version, but only a list says at once what is so now.
        if (version === undefined || !fresh()) await list()
        await watch()
        failures = 0
      } catch (error) {
        if (closing.signal.aborted) return
        // 410: the version is too old to go on from (https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses).
        if (error instanceof ApiError && error.status === 410) version = undefined
        else if (mayBeAbsent && error instanceof ApiError && error.status === 404) {
          objects = new Store<T>(limits)
          version = undefined
          heard = -Infinity
          least = absence
        } else log.warn({ path, reason: (error as Error).message }, 'the watch of the cluster failed, trying again')
        failures = heard > before ? 1 : failures + 1
      }
      const pause =
        Math.max(least, Math.min(backoff.most, backoff.first * 2 ** Math.min(failures, 10))) * (0.5 + random() / 2)
      await wait(pause, closing.signal).catch(() => undefined)
    }
  }

  const running = run()
  return {
    get: (namespace = '', name) => objects.get(namespace, name),
    all: (namespace) => objects.all(namespace),
    get size() {
      return objects.size
    },
    fresh,
    read: () => read,
    async close() {
      closing.abort()
      await running
    },
  }
}
