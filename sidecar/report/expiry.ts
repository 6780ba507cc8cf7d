import { formatDuration } from '../../shared/duration.ts'
import { objectName } from '../../shared/objects/spec.ts'
import type { Clock } from '../../shared/clock.ts'
import type { State } from './state.ts'

const dayMs = 24 * 60 * 60_000

/** An object that expires soon or has expired, for the log. */
export interface Expiring {
  what: string
  /** Seconds since 1970. */
  expires: number
  message: string
}

/** Finds, once a day for each object, those that expire soon. */
export class ExpiryWatch {
  readonly #horizon: number
  /** When each was last reported, on the monotonic clock. */
  readonly #reportedAt = new Map<string, number>()

  /** @param horizon how long before the expiry an object is reported, in milliseconds */
  constructor(horizon: number) {
    this.#horizon = horizon
  }

  /** The objects to report now. */
  check({ cache }: Pick<State, 'cache'>, clock: Pick<Clock, 'now' | 'elapsed'>): Expiring[] {
    const [now, elapsed] = [clock.now(), clock.elapsed()]
    return Array.from(cache.objects()).flatMap(([index, object]) => {
      const expires = cache.record(index)?.attributes.expires
      if (expires === undefined || expires * 1000 - now >= this.#horizon) return []
      const what = objectName(object)
      if (elapsed - (this.#reportedAt.get(what) ?? -Infinity) < dayMs) return []
      this.#reportedAt.set(what, elapsed)
      return [{ what, expires, message: sentence(what, expires, now) }]
    })
  }
}

function sentence(what: string, expires: number, now: number): string {
  const rest = expires * 1000 - now
  const minutes = Math.round(Math.abs(rest) / 60_000) * 60_000
  const at = new Date(expires * 1000).toISOString()
  return rest > 0
    ? `${what} expires in ${formatDuration(minutes)}, at ${at}; renew it`
    : `${what} expired ${formatDuration(minutes)} ago, at ${at}, and is still served; renew it`
}
