import { setImmediate as turn } from 'node:timers/promises'
import { Authority } from '../../../coordinator/turns/authority.ts'
import { Lease } from '../../../coordinator/turns/lease.ts'
import type { TurnOutcome } from '../../../coordinator/turns/member.ts'
import { Turns } from '../../../coordinator/turns/turns.ts'
import type { MaxUnavailable, TurnEvent, TurnState } from '../../../shared/coordination/turns.ts'
import { mostUnavailable } from '../../../coordinator/turns/unavailable.ts'
import { VirtualClock } from '../../support/clock.ts'
import type { RandomInteger } from '../../support/seeded-random.ts'
import { FakeLeases } from './leases.ts'
import { ModelPod } from './pod.ts'

/** A session: what is on its way in both directions. */
interface Link {
  center: Center
  up: { at: number; state: TurnState }[]
  down: { at: number; event: TurnEvent }[]
  sent: string
}

/** A coordinator of the model. */
interface Center {
  name: string
  turns: Turns
  lease: Lease
  authority: Authority
  links: Map<string, Link>
}

export interface WorldOptions {
  pods: number
  maxUnavailable: MaxUnavailable
  timeoutMs: number
  draw: RandomInteger
}

export const graceMs = 120_000
const lostGraceMs = 300_000
const heartbeatMs = 20_000

/** Pods, coordinators, the Lease and the network between them, in virtual time. Everything is drawn from one seed. */
export class World {
  readonly clock = new VirtualClock()
  readonly pods = new Map<string, ModelPod>()
  readonly centers = new Set<Center>()
  readonly leases = new FakeLeases()
  readonly outcomes: Partial<Record<TurnOutcome, number>> = {}
  newest = 0
  readonly #links = new Map<ModelPod, Link>()
  /** When a pod without a session tries again. */
  readonly #connectAt = new Map<ModelPod, number>()
  readonly #wanted = new Map<ModelPod, { version: number; at: number }>()
  readonly #bad = new Set<number>()
  readonly #proven = new Set<number>()
  readonly #options: WorldOptions
  /** When a pod joined last. */
  #joinedAt = 0
  /** Pods that were deleted and are not replaced, and whether the coordinator that decides knew that they end. */
  readonly #missing: { at: number; until: number; isKnown: boolean }[] = []
  #created = 0

  constructor(options: WorldOptions) {
    this.#options = options
    for (let index = 0; index < options.pods; index++) this.createPod()
    this.startCenter()
  }

  isGood = (version: number): boolean => !this.#bad.has(version)

  /** A version that every pod reads within a minute. */
  publish(isGood: boolean): void {
    const { draw } = this.#options
    this.newest++
    if (!isGood) this.#bad.add(this.newest)
    for (const pod of this.pods.values())
      this.#wanted.set(pod, { version: this.newest, at: this.clock.elapsed() + draw(60_000) })
  }

  createPod(): void {
    const pod = new ModelPod(`pod-${++this.#created}`, this.newest, {
      ...{ isGood: this.isGood, timeoutMs: this.#options.timeoutMs },
    })
    this.pods.set(pod.uid, pod)
  }

  /** Deletes a pod; its replacement comes up to 110 s later, which is less than the coordinator waits for it. */
  deletePod(pod: ModelPod, saysSo: boolean): void {
    const { draw } = this.#options
    const [at, { center }] = [this.clock.elapsed(), this.#links.get(pod) ?? {}]
    const until = at + (draw(2) === 0 ? 0 : draw(110_000))
    const isKnown = saysSo && center?.authority.whyNot() === undefined && center?.turns.answer(pod.uid) !== undefined
    this.#missing.push({ at, until, isKnown })
    this.pods.delete(pod.uid)
    if (saysSo) {
      this.#links.get(pod)?.center.links.delete(pod.uid)
      this.#links.get(pod)?.center.turns.end(pod.uid, true)
      this.#links.delete(pod)
    } else this.disconnect(pod)
  }

  disconnect(pod: ModelPod): void {
    const link = this.#links.get(pod)
    if (!link) return
    const { draw } = this.#options
    this.#links.delete(pod)
    link.center.links.delete(pod.uid)
    // What was sent may still arrive.
    for (const { state } of link.up.slice(0, draw(link.up.length + 1)))
      link.center.turns.take(this.#identity(pod.uid), state)
    link.center.turns.end(pod.uid, false)
    pod.disconnected()
    // Pods that wait or hold a turn come back soon.
    this.#connectAt.set(pod, this.clock.elapsed() + draw(pod.request ? 2_000 : 30_000))
  }

  startCenter(): void {
    const { clock } = this
    const name = `coordinator-${++this.#created}`
    const links = new Map<string, Link>()
    const lease = new Lease({
      ...{ clock, api: this.leases.api(name), namespace: 'a', name: 'coordinator', holder: name },
      onChange: () => undefined,
    })
    const authority = new Authority(lease, () => graceMs, clock)
    const turns = new Turns({
      ...{ clock, authority, limit: 1_000, lostGrace: () => lostGraceMs, turnGrace: () => graceMs },
      send: (uid, event) => links.get(uid)?.down.push({ at: this.#arrival(links.get(uid)?.down), event }),
      dismiss: (uid) => {
        const pod = this.pods.get(uid)
        if (pod) this.disconnect(pod)
      },
      onEnd: (_, { outcome }) => (this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1),
    })
    this.centers.add({ name, turns, lease, authority, links })
    void lease.run()
  }

  /** @param isKilled true if it neither gives the Lease back nor closes sessions in order */
  async stopCenter(center: Center, isKilled: boolean): Promise<void> {
    this.centers.delete(center)
    for (const uid of [...center.links.keys()]) {
      const pod = this.pods.get(uid)
      if (pod) this.disconnect(pod)
    }
    center.turns.close()
    if (isKilled) this.leases.isolate(center.name)
    await center.lease.close().catch(() => undefined)
  }

  /** One second. */
  async tick(): Promise<void> {
    await this.clock.advance(1_000, turn)
    const now = this.clock.elapsed()
    for (const one of this.#missing.filter(({ until }) => until <= now)) {
      this.#missing.splice(this.#missing.indexOf(one), 1)
      this.createPod()
    }
    for (const pod of this.pods.values()) {
      const wanted = this.#wanted.get(pod)
      if (wanted && wanted.at <= now) {
        this.#wanted.delete(pod)
        pod.wants(wanted.version)
      }
      this.#exchange(pod, now)
      pod.tick(now, () => 2_000 + this.#options.draw(20_000))
    }
    if (now % heartbeatMs === 0)
      for (const { turns, links } of this.centers) {
        for (const [uid, { down }] of links) {
          const event = turns.answer(uid)
          if (event) down.push({ at: this.#arrival(down), event })
        }
      }
  }

  /** Pods that a turn took down, by their own clocks, and that may still hold it. */
  takenDown(): ModelPod[] {
    // A turn may be held from its acknowledgment on, which came up to 5 s before the switch, and a message takes up to 8 s.
    const since = this.clock.elapsed() - this.#options.timeoutMs + 15_000
    return [...this.pods.values()].filter(({ fellAt }) => fellAt !== undefined && fellAt > since)
  }

  /**
   * Those of them that hold the turn, and with it try a version with which no pod has come up. A pod whose turn failed, or that wants
   * a newer version, is only down: the first pod with the newer version is not kept waiting for it.
   */
  canaries(): ModelPod[] {
    for (const { isUp, served } of this.pods.values()) if (isUp) this.#proven.add(served)
    return this.takenDown().filter(
      ({ served, fellWith, request }) =>
        request?.phase === 'switched' && served === fellWith && !this.#proven.has(served),
    )
  }

  /**
   * How many pods were deleted and not replaced when a turn took one down: 1 or 0. A turn may be granted 45 s before its switch. A pod
   * does not count if another one joined since, which the coordinator may have taken for its replacement, or if others are missing.
   */
  missing(): number {
    const last = Math.max(0, ...this.takenDown().map(({ fellAt = 0 }) => fellAt))
    const [one, ...others] = this.#missing
    return one?.isKnown && others.length === 0 && this.#joinedAt <= one.at && last > one.at + 45_000 ? 1 : 0
  }

  get most(): number {
    return mostUnavailable(Array.from({ length: this.#options.pods + 3 }, () => this.#options.maxUnavailable))
  }

  /** Pods that neither serve the newest version nor know that they are halted. */
  behind(): ModelPod[] {
    return [...this.pods.values()].filter(({ served, halts, request, isUp }) => {
      const isHalted = halts.some(({ versions }) => versions.some((version) => request?.versions.includes(version)))
      return (served < this.newest || !isUp) && !isHalted && this.isGood(served)
    })
  }

  #exchange(pod: ModelPod, now: number): void {
    const { draw, maxUnavailable } = this.#options
    let link = this.#links.get(pod)
    if (!link && now >= (this.#connectAt.get(pod) ?? 0)) {
      // A coordinator that knows that another one decides is not ready, and so gets no new session.
      const ready = [...this.centers].filter(({ authority }) => !authority.isElsewhere())
      const center = ready[draw(ready.length)]
      if (!center) return
      link = { center, up: [], down: [], sent: '' }
      if (!center.turns.answer(pod.uid)) this.#joinedAt = now
      center.links.set(pod.uid, link)
      this.#links.set(pod, link)
    }
    if (!link) return
    while ((link.down[0]?.at ?? Infinity) <= now) pod.take(link.down.shift()?.event as TurnEvent, now)
    const state = pod.state(maxUnavailable, now)
    const text = JSON.stringify({ ...state, request: { ...state.request, heldMs: 0 } })
    if (text !== link.sent) link.up.push({ at: this.#arrival(link.up), state })
    link.sent = text
    while ((link.up[0]?.at ?? Infinity) <= now)
      link.center.turns.take(this.#identity(pod.uid), link.up.shift()?.state as TurnState)
  }

  /** A message takes up to 8 s, and does not overtake another one. */
  #arrival(before: readonly { at: number }[] | undefined): number {
    const { draw } = this.#options
    const delay = draw(5) === 0 ? draw(8_000) : draw(200)
    return Math.max(before?.at(-1)?.at ?? 0, this.clock.elapsed() + delay)
  }

  #identity = (uid: string) => ({
    ...{ namespace: 'shop', serviceAccount: 'web', pod: uid, uid, group: 'deployment/web', expires: Infinity },
  })
}
