import type { Clock } from '../../shared/clock.ts'
import type { ReadinessAnswer } from './readiness.ts'

export interface ReadinessWatchOptions {
  ask: () => Promise<ReadinessAnswer>
  /** How often the app is asked, in milliseconds. */
  period: number
  clock: Pick<Clock, 'elapsed'>
}

/** While the app is up and nothing depends on it soon, it is asked no more often. */
const idlePeriodMs = 10_000
/** For the kubelet and the endpoints to follow, in addition to a period. */
const endpointsMs = 2_000

/** Asks the app again and again whether it is ready. */
export class ReadinessWatch {
  readonly #options: ReadinessWatchOptions
  #last: ReadinessAnswer | undefined
  /** When the app began to be ready, on the monotonic clock. */
  #readySince: number | undefined
  /** When the current probe began; the next begins after it. */
  #askedAt = -Infinity
  #isAsking = false
  /** Answers to earlier probes concern another process. */
  #validFrom = -Infinity

  constructor(options: ReadinessWatchOptions) {
    this.#options = options
  }

  /** Whether the app is ready, and has been for so long that its endpoints have followed. */
  get isReady(): boolean {
    const { clock, period } = this.#options
    return this.#readySince !== undefined && clock.elapsed() - this.#readySince >= period + endpointsMs
  }

  /** How long it takes to find an app ready that is, in milliseconds. */
  get lookMs(): number {
    const { period } = this.#options
    return Math.max(period, idlePeriodMs) + period + endpointsMs
  }

  get detail(): string {
    return this.#last?.detail ?? 'the app was not asked'
  }

  /** To be called when another process runs, or the same one was notified: what was answered so far does not count. */
  reset(): void {
    this.#validFrom = this.#options.clock.elapsed()
    this.#last = undefined
    this.#readySince = undefined
    this.#askedAt = -Infinity
  }

  /** To be called once a second. @param isUrgent whether a turn is held, or the app is not up */
  check(isUrgent: boolean): void {
    const { clock, period } = this.#options
    const now = clock.elapsed()
    if (this.#isAsking || now - this.#askedAt < (isUrgent ? period : Math.max(period, idlePeriodMs))) return
    this.#askedAt = now
    this.#isAsking = true
    void this.#ask(now)
  }

  async #ask(began: number): Promise<void> {
    const { ask, clock } = this.#options
    const answer = await ask().catch((error: Error) => ({ isReady: false, detail: error.message }))
    this.#isAsking = false
    if (began < this.#validFrom) return
    this.#last = answer
    if (!answer.isReady) this.#readySince = undefined
    else this.#readySince ??= clock.elapsed()
  }
}
