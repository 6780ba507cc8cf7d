import type { WallClock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Api } from './responses.ts'

/** Delay before a watch is restarted, and its maximum after failures. */
const RECONNECT_MS = { first: 1_000, most: 30_000 }
/** The requested duration of a watch, and how long its end is awaited, because a connection may be dead without notice. */
const WATCH_SECONDS = { requested: 60, most: 75 }

export interface WatchedObject {
  api: Api
  /** of the collection, as in `/api/v1/namespaces/default/secrets` */
  path: string
  name: string
  /** for the log */
  id: string
  /** called when the object is observed in a new version, or deleted */
  changed: () => void
  log: Pick<Logger, 'warn'>
  clock: WallClock
  signal: AbortSignal
}

/**
 * Watches one object by name until `signal` aborts; never rejects. A watch without resourceVersion begins with the current state
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-watch), so only a deletion can
 * be missed between two of them, and no list is needed. A watch lasts a minute.
 */
export async function watchObject(object: WatchedObject): Promise<void> {
  const { id, changed, log, clock, signal } = object
  let seen: string | undefined
  let failures = 0
  const onEvent = ({ type, object }: WatchEvent) => {
    if (type === 'ERROR') throw new Error(object?.message ?? 'the API server gave up the watch')
    failures = 0
    const version = object?.metadata?.resourceVersion
    if (version === undefined || version !== seen) changed()
    seen = version
  }
  while (!signal.aborted) {
    const error = await watchOnce(object, onEvent)
    if (signal.aborted) return
    const failed = error !== undefined
    if (failed)
      log.warn({ object: id, error: messageOf(error) }, 'webhook certificate: the watch failed and will be retried')
    failures = failed ? failures + 1 : 0
    await clock.wait(Math.min(RECONNECT_MS.most, RECONNECT_MS.first * 2 ** failures), signal)
  }
}

interface WatchEvent {
  type?: string
  object?: { metadata?: { resourceVersion?: string }; message?: string }
}

/** Resolves when the watch is over, to its error if there was one. */
async function watchOnce(
  { api, path, name, signal }: WatchedObject,
  onEvent: (event: WatchEvent) => void,
): Promise<unknown> {
  const { requested, most } = WATCH_SECONDS
  const selector = encodeURIComponent(`metadata.name=${name}`)
  const silence = AbortSignal.timeout(most * 1000)
  try {
    await api.follow(
      {
        path: `${path}?watch=true&fieldSelector=${selector}&timeoutSeconds=${requested}`,
        signal: AbortSignal.any([signal, silence]),
      },
      (event) => onEvent(event as WatchEvent),
    )
    return undefined
  } catch (error) {
    return silence.aborted ? undefined : error
  }
}
