import { formatDuration } from '../shared/duration.ts'
import { objectName } from '../shared/object-spec.ts'
import type { Clock } from './clock.ts'
import type { State } from './state.ts'

const day = 24 * 60 * 60_000

/** An object that ends, for the log. */
export interface Expiring {
  what: string
  /** Seconds since 1970. */
  expires: number
  /** For people. */
  message: string
}

/** Says of each object that expires soon, once a day, that it does. */
export class ExpiryWatch {
  readonly #horizon: number
  /** When it was last said, on the clock that never goes back. */
  readonly #told = new Map<string, number>()

  /** @param horizon how long before the end it begins, in milliseconds */
  constructor(horizon: number) {
    this.#horizon = horizon
  }

  /** What is to be said now. */
  check({ settings, memory }: Pick<State, 'settings' | 'memory'>, clock: Pick<Clock, 'now' | 'elapsed'>): Expiring[] {
    const [now, elapsed] = [clock.now(), clock.elapsed()]
    return settings.objects.flatMap((object, index) => {
      const expires = memory.record(index)?.attributes.expires
      if (expires === undefined || expires * 1000 - now >= this.#horizon) return []
      const what = objectName(object)
      if (elapsed - (this.#told.get(what) ?? -Infinity) < day) return []
      this.#told.set(what, elapsed)
      return [{ what, expires, message: sentence(what, expires, now) }]
    })
  }
}

function sentence(what: string, expires: number, now: number): string {
  const rest = expires * 1000 - now
  const minutes = Math.round(Math.abs(rest) / 60_000) * 60_000
  const at = new Date(expires * 1000).toISOString()
  return rest > 0
    ? `${what} expires in ${formatDuration(minutes)}, at ${at}: renew it`
    : `${what} expired ${formatDuration(minutes)} ago, at ${at}: it is still served; renew it`
}
