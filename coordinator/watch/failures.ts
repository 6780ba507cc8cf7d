import type { FailureKind, VaultFailure } from '../../shared/vault/store.ts'
import { forget, type Observed } from './observed.ts'

/** Failures that may have their cause in one object. */
const ofOneObject: ReadonlySet<FailureKind> = new Set<FailureKind>([
  ...(['selection', 'gone', 'not-found', 'forbidden', 'bad-request', 'malformed'] as const),
])
/** Failures that one object may have once in a look; the second is the vault's. */
const passing: ReadonlySet<FailureKind> = new Set<FailureKind>(['timeout', 'unavailable'])
/** Failures that show that the vault serves other requests. */
const answers: ReadonlySet<FailureKind> = new Set<FailureKind>(['selection', 'gone'])

/** Failures that are over soon. A time-out is not among them: each delays the look. */
const brief: ReadonlySet<FailureKind> = new Set<FailureKind>(['unavailable', 'malformed'])
/** How long an object that failed is left alone, in milliseconds. */
const pauseMs = { brief: 60_000, other: 600_000 }

/** The failures of single objects in a look, which goes on without them: any pod that shares the vault can name such an object. */
export class Failures {
  /** Whether the vault has answered another request of the look: if it answered none, the failure is that of the vault. */
  isAnswered: boolean
  readonly #failed = new Map<Observed, VaultFailure>()

  constructor(isAnswered: boolean) {
    this.isAnswered = isAnswered
  }

  /** @throws the failure if it is not that of one object */
  add(observed: Observed, failure: VaultFailure): undefined {
    const { kind } = failure
    const isSecond = passing.has(kind) && this.#failed.values().some((one) => passing.has(one.kind))
    if (ofOneObject.has(kind) || passing.has(kind)) this.#failed.set(observed, failure)
    if (answers.has(kind)) this.isAnswered = true
    if (isSecond || !this.#failed.has(observed)) throw failure
  }

  /** @throws the first failure if the vault answered nothing */
  check(): void {
    const [first] = this.#failed.values()
    if (first && !this.isAnswered) throw first
  }

  /** Forgets what is known of the objects that failed, unless the vault itself did; returns why. */
  lose(now: number): VaultFailure[] {
    if (!this.isAnswered) return []
    for (const [observed, failure] of this.#failed) {
      forget(observed)
      observed.retryAt = now + (brief.has(failure.kind) ? pauseMs.brief : pauseMs.other)
    }
    return [...this.#failed.values()]
  }
}
