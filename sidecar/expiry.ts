import { formatDuration } from '../shared/duration.ts'

const day = 24 * 60 * 60_000

/** An object that ends, for the log. */
export interface Expiring {
  what: string
  /** Seconds since 1970. */
  expires: number
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
  check(
    objects: readonly Expiring[],
    { now, elapsed }: { now: number; elapsed: number },
  ): (Expiring & { message: string })[] {
    // prettier-ignore
    const due = objects.filter(({ what, expires }) => {
      const told = this.#told.get(what)
      return expires * 1000 - now < this.#horizon && (told === undefined || elapsed - told >= day)
    })
    for (const { what } of due) this.#told.set(what, elapsed)
    return due.map((object) => ({ ...object, message: sentence(object, now) }))
  }
}

function sentence({ what, expires }: Expiring, now: number): string {
  const rest = expires * 1000 - now
  const minutes = Math.round(Math.abs(rest) / 60_000) * 60_000
  const at = new Date(expires * 1000).toISOString()
  return rest > 0
    ? `${what} expires in ${formatDuration(minutes)}, at ${at}: renew it`
    : `${what} expired ${formatDuration(minutes)} ago, at ${at}: it is still served; renew it`
}
