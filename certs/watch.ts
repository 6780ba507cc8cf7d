import { Watch, type KubeConfig } from '@kubernetes/client-node'
import type { Clock } from './clock.ts'
import { reason, type Log } from './events.ts'

/** A watch that ended is begun anew after this, and after a failure after up to the second. */
const RECONNECT_MS = { first: 1_000, most: 30_000 }

export interface WatchedObject {
  kubeConfig: KubeConfig
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
 * deletion, and no list is needed. The client ends a watch after 30 quiet seconds.
 */
export async function watchObject(object: WatchedObject): Promise<void> {
  const { id, changed, log, clock, signal } = object
  let seen: string | undefined
  let failures = 0
  const onEvent = (_type: string, { metadata }: { metadata?: { resourceVersion?: string } }) => {
    failures = 0
    const version = metadata?.resourceVersion
    if (version === undefined || version !== seen) changed()
    seen = version
  }
  while (!signal.aborted) {
    const error = await watchOnce(object, onEvent)
    if (signal.aborted) return
    const failed = error instanceof Error && !(error instanceof DOMException && error.name === 'TimeoutError')
    if (failed) log.warn({ object: id, error: reason(error) }, 'webhook certificate: the watch failed, trying again')
    failures = failed ? failures + 1 : 0
    await clock.wait(Math.min(RECONNECT_MS.most, RECONNECT_MS.first * 2 ** failures), signal)
  }
}

/** Resolves when the watch is over, to its error where there was one. */
async function watchOnce(
  { kubeConfig, path, name, signal }: WatchedObject,
  onEvent: (type: string, object: { metadata?: { resourceVersion?: string } }) => void,
): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>()
  try {
    const request = await new Watch(kubeConfig).watch(
      path,
      { fieldSelector: `metadata.name=${name}` },
      onEvent,
      resolve,
    )
    const abort = () => request.abort()
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    const error = await promise
    signal.removeEventListener('abort', abort)
    return error
  } catch (error) {
    return error
  }
}
