import type { Clock } from './clock.ts'
import { reason, type Log } from './events.ts'
import type { Api } from './requests.ts'

/** A watch that ended is begun anew after this, and after a failure after up to the second. */
const RECONNECT_MS = { first: 1_000, most: 30_000 }
/** So long the API server is to go on, and so long it is waited for: a connection may be dead without a word. */
const WATCH_SECONDS = { asked: 60, most: 75 }

export interface WatchedObject {
  api: Api
  /** of the collection, as in `/api/v1/namespaces/default/secrets` */
  path: string
  name: string
  /** for the log */
  id: string
  /** called whenever the object is seen in another version than before, or deleted */
  changed: () => void
  log: Log
  clock: Clock
  signal: AbortSignal
}

/**
 * Watches one object by name until `signal` aborts; never rejects. A watch without resourceVersion begins with what is there
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-watch), so nothing is missed between two of them but a
 * deletion, and no list is needed. A watch lasts a minute.
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
    if (failed) log.warn({ object: id, error: reason(error) }, 'webhook certificate: the watch failed, trying again')
    failures = failed ? failures + 1 : 0
    await clock.wait(Math.min(RECONNECT_MS.most, RECONNECT_MS.first * 2 ** failures), signal)
  }
}

interface WatchEvent {
  type?: string
  object?: { metadata?: { resourceVersion?: string }; message?: string }
}

/** Resolves when the watch is over, to its error where there was one. */
async function watchOnce(
  { api, path, name, signal }: WatchedObject,
  onEvent: (event: WatchEvent) => void,
): Promise<unknown> {
  const { asked, most } = WATCH_SECONDS
  const selector = encodeURIComponent(`metadata.name=${name}`)
  const silence = AbortSignal.timeout(most * 1000)
  try {
    await api.follow(
      {
        path: `${path}?watch=true&fieldSelector=${selector}&timeoutSeconds=${asked}`,
        signal: AbortSignal.any([signal, silence]),
      },
      (event) => onEvent(event as WatchEvent),
    )
    return undefined
  } catch (error) {
    return silence.aborted ? undefined : error
  }
}
