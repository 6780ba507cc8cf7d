import type { OnLimited } from '../limits.ts'
import type { Api, ApiRequest } from '../../shared/kubernetes/api.ts'
import type { LookupOptions } from './cluster.ts'

/** Limits of concurrent and of waiting reads of the API server; further ones fail. */
const atOnce = 8
const mostWaiting = 64
/** Limit of the objects that are read for one review. */
const mostPerReview = 32
/** Milliseconds; no review waits longer. */
const timeout = 10_000

export interface Reads {
  /** Like `Api.call`. Rejects with messages for people. */
  read(request: ApiRequest, options: LookupOptions): Promise<unknown>
}

interface Flight {
  running: Promise<unknown>
  /** The read for callers that arrive while `running` is in progress, which may have begun before they needed it. */
  next?: Promise<unknown>
}

/**
 * Reads single objects for reviews with a bounded load on the API server: a review reads an object once, reviews that need the same object
 * share a read that begins after they came, and the numbers of running and waiting reads are limited.
 */
export function createReads(api: Api, onLimited: OnLimited = () => undefined): Reads {
  const flights = new Map<string, Flight>()
  const waiting: (() => void)[] = []
  let running = 0

  async function send(request: ApiRequest): Promise<unknown> {
    if (running >= atOnce) {
      if (waiting.length >= mostWaiting) {
        onLimited('look-ups')
        throw new Error('too many reads of the API server are waiting')
      }
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running++
    const giveUp = new AbortController()
    const timer = setTimeout(() => giveUp.abort(), timeout)
    try {
      return await api.call({ ...request, signal: giveUp.signal })
    } finally {
      clearTimeout(timer)
      // The first waiting read takes the place over.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }

  function begin(request: ApiRequest): Promise<unknown> {
    const flight: Flight = { running: send(request) }
    flights.set(request.path, flight)
    const done = (): void => {
      if (flight.next === undefined) flights.delete(request.path)
    }
    flight.running.then(done, done)
    return flight.running
  }

  function share(request: ApiRequest): Promise<unknown> {
    const flight = flights.get(request.path)
    if (flight === undefined) return begin(request)
    const again = (): Promise<unknown> => begin(request)
    flight.next ??= flight.running.then(again, again)
    return flight.next
  }

  return {
    async read(request, { signal, reads = new Map<string, Promise<unknown>>() }) {
      let found = reads.get(request.path)
      if (found === undefined) {
        if (reads.size >= mostPerReview) {
          onLimited('look-ups')
          throw new Error(`the pod names more than ${mostPerReview} objects of the cluster that have to be read`)
        }
        found = share(request)
        reads.set(request.path, found)
      }
      return signal === undefined ? found : Promise.race([found, aborted(signal, request)])
    },
  }
}

async function aborted(signal: AbortSignal, { path }: ApiRequest): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  const fail = (): void => reject(new Error(`GET ${path}: no answer in time`))
  if (signal.aborted) fail()
  else signal.addEventListener('abort', fail, { once: true })
  return promise
}
