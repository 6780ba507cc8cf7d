import { realClock, type Clock, type Random } from '../clock.ts'
import type { Logger } from '../log.ts'
import { accept, ApiError, type Api } from './api.ts'
import type { Fields } from './json-fields.ts'
import { Store, type StoreLimits } from './store.ts'

export interface Metadata {
  name?: string
  namespace?: string
  resourceVersion?: string
  continue?: string
  deletionTimestamp?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}
/** An object with the metadata that a reflector reads. */
export interface Meta {
  metadata?: Metadata
}
interface WatchEvent<O> {
  type?: string
  object?: O & { code?: number; message?: string }
}

export interface ReflectorOptions<T, O extends Meta = Meta> {
  api: Api
  /** The path of the collection, such as `/api/v1/serviceaccounts`. */
  path: string
  /** Read complete objects instead of their metadata. */
  fullObjects?: boolean
  /** The kind may not exist in the cluster: this is checked once a minute and not logged. */
  mayBeAbsent?: boolean
  /** The fields to read of an object. */
  fields: Fields
  /** Returns what to keep of an object: some hundred bytes of most. */
  keep: (object: O) => T
  limits: StoreLimits
  onLimited?: ((limit: 'cached-object' | 'cached-objects') => void) | undefined
  log: Logger
  clock?: Pick<Clock, 'elapsed' | 'wait'>
  random?: Random
  /** A watch without any event for this long, not even a bookmark (one a minute), is considered lost. */
  silenceMs?: number
}

/** A cache of a collection that follows the API server. */
export interface Reflector<T> {
  get(namespace: string | undefined, name: string): T | undefined
  /** Returns a namespace's objects. */
  all(namespace: string): T[]
  /** Returns the names of a namespace's objects. */
  names(namespace: string): string[]
  readonly size: number
  /** Whether there is a cache and the API server was heard of recently. */
  fresh(): boolean
  /** Whether there has ever been a complete list. */
  read(): boolean
  close(): Promise<void>
}

/** Small, because tenants can make each object as large as the API server accepts. */
const pageSize = 100
/** Limit in bytes of JSON of one object; a larger one is not cached. */
const largest = 16 * 1024
/** After this long without an event the cache is stale. */
const staleAfterMs = 600_000
const backoffMs = { first: 500, most: 30_000 }
/** How long an absent kind is not requested again. */
const absenceMs = 60_000

/**
 * Lists a collection page by page, then watches it from there. Lists again if the API server has forgotten the version, and continues after
 * every failure until `close()`.
 */
export function createReflector<T, O extends Meta = Meta>(options: ReflectorOptions<T, O>): Reflector<T> {
  const {
    api,
    path,
    keep,
    log,
    fullObjects = false,
    mayBeAbsent = false,
    clock = realClock,
    random = Math.random,
    silenceMs = 180_000,
  } = options
  const closing = new AbortController()
  const { fields, limits, onLimited = () => undefined } = options
  let objects = new Store<T>(limits)
  let version: string | undefined
  let heard = -Infinity
  let read = false
  const fresh = (): boolean => clock.elapsed() - heard < staleAfterMs

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
        ...(fullObjects ? {} : { accept: accept.metadataList }),
        fields: { metadata: { continue: true, resourceVersion: true }, items: fields },
        limit: largest,
        onItem: (object, isCut) => put(next, object as O, isCut),
        signal,
      })) as Meta
    } while (page.metadata?.continue)
    objects = next
    version = page.metadata?.resourceVersion
    read = true
    heard = clock.elapsed()
  }

  function apply({ type, object }: WatchEvent<O>, isCut: boolean): void {
    if (type === 'ERROR') throw new ApiError(object?.code ?? 500, object?.message ?? 'the watch failed')
    const { namespace = '', name = '', resourceVersion } = object?.metadata ?? {}
    if (type === 'DELETED') objects.delete(namespace, name)
    else if (object && (type === 'ADDED' || type === 'MODIFIED')) put(objects, object, isCut)
    version = resourceVersion ?? version
  }

  /** Resolves when the API server ends the watch, as it does every few minutes. */
  async function watch(): Promise<void> {
    const quiet = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const listen = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => quiet.abort(), silenceMs).unref()
    }
    const hear = (): void => {
      heard = clock.elapsed()
      listen()
    }
    // Starts the silence timer only: a request is no sign of life of the API server.
    listen()
    const seconds = Math.round(300 + random() * 300)
    try {
      await api.follow(
        {
          path: `${path}?watch=1&allowWatchBookmarks=true&timeoutSeconds=${seconds}&resourceVersion=${version ?? ''}`,
          ...(fullObjects ? {} : { accept: accept.metadata }),
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
        // A watch continues from any version, but only a list shows the current state at once.
        if (version === undefined || !fresh()) await list()
        await watch()
        failures = 0
      } catch (error) {
        if (closing.signal.aborted) return
        // 410: the version is too old to continue from (https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses).
        if (error instanceof ApiError && error.status === 410) version = undefined
        else if (mayBeAbsent && error instanceof ApiError && error.status === 404) {
          objects = new Store<T>(limits)
          version = undefined
          heard = -Infinity
          least = absenceMs
        } else
          log.warn({ path, reason: (error as Error).message }, 'the watch of the cluster failed and will be retried')
        failures = heard > before ? 1 : failures + 1
      }
      const pause =
        Math.max(least, Math.min(backoffMs.most, backoffMs.first * 2 ** Math.min(failures, 10))) * (0.5 + random() / 2)
      await clock.wait(pause, closing.signal)
    }
  }

  const running = run()
  return {
    get: (namespace = '', name) => objects.get(namespace, name),
    all: (namespace) => objects.all(namespace),
    names: (namespace) => objects.names(namespace),
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
