import { versionId, type TurnEvent, type TurnRequest, type TurnState } from '../../../shared/coordination/turns.ts'

/** A sidecar of the model and its app, by the rules of the protocol. Times are in milliseconds. */
export class ModelPod {
  readonly uid: string
  isUp = true
  /** The version that it serves. */
  served: number
  request: TurnRequest | undefined
  halts: TurnState['halts'] = []
  /** When it switched in the turn that it holds. */
  switched: { at: number } | undefined
  /** When a turn took it down; absent once it is up again. */
  fellAt: number | undefined
  /** The version with which it did. */
  fellWith = 0
  #takenAt = 0
  /** Whether it was up when it took the turn. */
  #wasUp = false
  #number = 0
  #downUntil = 0
  readonly #isGood: (version: number) => boolean
  readonly #timeoutMs: number

  constructor(uid: string, served: number, options: { isGood: (version: number) => boolean; timeoutMs: number }) {
    this.uid = uid
    this.served = served
    this.#isGood = options.isGood
    this.#timeoutMs = options.timeoutMs
    this.isUp = options.isGood(served)
  }

  state(maxUnavailable: TurnState['maxUnavailable'], now: number): TurnState {
    const { isUp, request, halts } = this
    const heldMs = this.switched ? now - this.switched.at : 0
    return {
      ...{ maxUnavailable, timeoutMs: this.#timeoutMs, isUp, halts },
      ...(request && { request: { ...request, heldMs } }),
    }
  }

  /** It has read a new version. */
  wants(version: number): void {
    if (version <= this.served) return
    this.switched = undefined
    const versions = [idOf(version)]
    if (this.request?.versions[0] === versions[0]) return
    const fields = { versions, objects: 'secret a', phase: 'waiting' as const, take: 0, heldMs: 0, isRefresh: false }
    this.request = { id: `${this.uid}-${++this.#number}`, ...fields }
  }

  take(event: TurnEvent, now: number): void {
    this.halts = event.halts
    const { request } = this
    if (!request || event.id !== request.id) return
    if (event.answer === 'granted' && request.phase === 'waiting') {
      this.request = { ...request, phase: 'taken', take: request.take + 1 }
      this.#takenAt = now
      this.#wasUp = this.isUp
    }
    const isInTime = now - this.#takenAt < 5_000
    if (event.answer === 'acknowledged' && request.phase === 'taken' && event.take === request.take && isInTime) {
      // A pod that was down gets its turn at once; one that came up meanwhile has to wait.
      if (this.isUp && !this.#wasUp) this.request = { ...request, phase: 'waiting' }
      else this.#switch(request, now)
    }
    if (event.answer === 'ended' && (request.phase === 'done' || request.phase === 'failed')) this.request = undefined
  }

  disconnected(): void {
    if (this.request?.phase === 'taken') this.request = { ...this.request, phase: 'waiting' }
  }

  /** @param downMs how long the app takes to come back */
  tick(now: number, downMs: () => number): void {
    const { request, switched } = this
    if (request?.phase === 'taken' && now - this.#takenAt >= 5_000) this.request = { ...request, phase: 'waiting' }
    if (!this.isUp && this.#downUntil === 0) this.#downUntil = now + downMs()
    if (!this.isUp && now >= this.#downUntil && this.#isGood(this.served)) this.isUp = true
    if (this.isUp) {
      this.#downUntil = 0
      this.fellAt = undefined
    }
    if (request?.phase !== 'switched' || !switched) return
    if (this.isUp) this.request = { ...request, phase: 'done' }
    else if (now - switched.at > 60_000) this.request = { ...request, phase: 'failed', cause: 'it ends' }
  }

  /** The app ends by itself. */
  crash(): void {
    this.isUp = false
  }

  #switch(request: TurnRequest, now: number): void {
    this.served = numberOf(request.versions[0] ?? '')
    this.switched = { at: now }
    if (this.isUp) {
      this.fellAt = now
      this.fellWith = this.served
    }
    this.isUp = false
    this.request = { ...request, phase: 'switched' }
  }
}

const ids = new Map<string, number>()
const idOf = (version: number): string => {
  const id = versionId({ vault: 'https://my-kv.vault.azure.net', type: 'secret', name: 'a' }, `${version}`)
  ids.set(id, version)
  return id
}
const numberOf = (id: string): number => ids.get(id) ?? 0
