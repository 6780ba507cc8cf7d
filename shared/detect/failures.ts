import type { Rendered } from '../render/rendered.ts'
import type { Clock } from '../clock.ts'
import type { Result } from '../result.ts'
import type { FailureKind, Outlook, VaultFailure } from '../vault/store.ts'
import type { ReadResult } from './read-vault.ts'
import type { Source } from './sources.ts'

/** Why an object, template, bundle or the volume is not as it should be. */
export interface Failure {
  kind: FailureKind | 'render' | 'volume'
  message: string
  /** When it began, in milliseconds since 1970. */
  since: number
  outlook: Outlook
  /** True if the object was not even requested: another one's failure showed that to be pointless. */
  isUnread?: true
  /** When it became permanent, on the monotonic clock. */
  permanentSince?: number
  /** When it became doubtful or permanent, on the monotonic clock. */
  doubtfulSince?: number
}

export type FailureReason = Pick<Failure, 'kind' | 'message' | 'outlook' | 'isUnread'>

/** The index of an object, or a path: that of a template or bundle, {@link volumeRoot}, or {@link findKey}. */
export type FailureKey = number | string

/** Stands for the volume as a whole; the paths of files are relative. */
export const volumeRoot = '/'

/** Stands for a find, by its index. */
export const findKey = (find: number): FailureKey => `/find/${find}`

/** All current failures, and when they began. */
export class Failures {
  readonly #failures = new Map<FailureKey, Failure>()
  /** Why contents could not be rendered, which remains true while a later poll cannot read them. */
  readonly #unrendered = new Map<FailureKey, FailureReason>()
  readonly #clock: Pick<Clock, 'now' | 'elapsed'>

  constructor(clock: Pick<Clock, 'now' | 'elapsed'>) {
    this.#clock = clock
  }

  get = (key: FailureKey): Failure | undefined => this.#failures.get(key)
  has = (key: FailureKey): boolean => this.#failures.has(key)
  /** Whether there is a failure of the key itself, rather than of another object whose failure ended a poll. */
  isOwn = (key: FailureKey): boolean => this.has(key) && !this.get(key)?.isUnread
  /** Whether what was read last is in files. */
  isRendered = (key: FailureKey): boolean => !this.#unrendered.has(key)

  /** Records a failure; it continues an earlier one of the same key. */
  set(key: FailureKey, reason: FailureReason): void {
    if (reason.kind === 'render') this.#unrendered.set(key, reason)
    this.#failures.set(key, nextFailure(this.#failures.get(key), reason, this.#clock))
  }

  clear(key: FailureKey): void {
    this.#failures.delete(key)
    this.#unrendered.delete(key)
  }

  /**
   * Takes over what a poll of a vault found out about its objects.
   * @param sources all of the vault's
   * @param rendered the objects whose contents changed, by index
   */
  update(sources: readonly Source[], read: ReadResult, rendered: ReadonlyMap<number, Result<Rendered>>): void {
    for (const find of read.search?.finds ?? []) {
      const failure = read.search?.failures.get(find)
      if (failure) this.set(findKey(find), reasonOf(failure))
      else this.clear(findKey(find))
    }
    for (const { objects } of [...read.unchanged, ...read.reads.keys()])
      objects.forEach((index) => this.#recover(index))
    for (const [index, result] of rendered) {
      if (result.ok) this.clear(index)
      else this.set(index, { kind: 'render', message: result.problems.join('; '), outlook: 'permanent' })
    }
    for (const [{ objects }, failure] of read.failures) {
      for (const index of objects) this.set(index, reasonOf(failure))
    }
    for (const [{ objects }, failure] of read.unread) {
      for (const index of objects) if (!this.isOwn(index)) this.set(index, { ...reasonOf(failure), isUnread: true })
    }
    const isReached = read.failures.values().some(({ outlook }) => outlook === 'transient')
    // A vault that throttles or is overloaded can be reached, and a poll ends at such an answer: earlier doubts no longer count.
    if (isReached) for (const index of sources.flatMap(({ objects }) => objects)) delete this.get(index)?.doubtfulSince
  }

  /** The object can be read; a content that could not be rendered still cannot. */
  #recover(index: number): void {
    const unrendered = this.#unrendered.get(index)
    if (unrendered) this.set(index, unrendered)
    else this.clear(index)
  }
}

/** An error's own message is not one of its enumerable properties. */
const reasonOf = ({ kind, message, outlook }: VaultFailure): FailureReason => ({ kind, message, outlook })

/** Returns the failure for a reason, which continues an earlier failure of the same key. */
export function nextFailure(
  previous: Failure | undefined,
  reason: FailureReason,
  { now, elapsed }: Pick<Clock, 'now' | 'elapsed'>,
): Failure {
  const failure = { ...reason, since: previous?.since ?? now() }
  if (reason.outlook === 'transient') return failure
  const doubtfulSince = previous?.doubtfulSince ?? elapsed()
  if (reason.outlook === 'doubtful') return { ...failure, doubtfulSince }
  return { ...failure, doubtfulSince, permanentSince: previous?.permanentSince ?? elapsed() }
}
