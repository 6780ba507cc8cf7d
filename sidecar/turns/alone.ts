import type { Clock, Random } from '../../shared/clock.ts'

export interface AloneOptions {
  clock: Pick<Clock, 'elapsed'>
  random: Random
  splay: number
  /** Without a session for so long, a pod goes ahead alone. */
  timeout: number
}

/** Time of the draw for each pod of the group, in milliseconds. */
const memberMs = 60_000
/** Pods of a group that count: a coordinator may send any number. */
const mostMembers = 10_000

/** Decides when a pod that has no session switches without a turn: not when its replicas do, as far as chance can help. */
export class Alone {
  readonly #options: AloneOptions
  #connectedAt = -Infinity
  #dueAt: number | undefined

  constructor(options: AloneOptions) {
    this.#options = options
  }

  /** To be called once a second while there is a session. */
  connected(): void {
    this.#connectedAt = this.#options.clock.elapsed()
    this.#dueAt = undefined
  }

  /** To be called if nothing waits, or what waits must not be switched in. */
  reset(): void {
    this.#dueAt = undefined
  }

  /**
   * To be called once a second without a session.
   * @param since when the set began to wait, on the monotonic clock
   * @param members of the group, as far as they are known
   */
  isDue(since: number, members: number): boolean {
    const { clock, random, splay, timeout } = this.#options
    const now = clock.elapsed()
    if (now - Math.max(since, this.#connectedAt) < timeout) return false
    const longest = Math.max(splay, timeout, Math.min(members, mostMembers) * memberMs)
    this.#dueAt ??= now + random() * longest
    return now >= this.#dueAt
  }
}
