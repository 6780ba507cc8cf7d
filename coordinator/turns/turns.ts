import { startTimer, type Clock } from '../../shared/clock.ts'
import type { TurnEvent, TurnState } from '../../shared/coordination/turns.ts'
import type { PodIdentity } from '../tokens.ts'
import type { Authority } from './authority.ts'
import { Group } from './group.ts'
import type { TurnEnd } from './member.ts'

export interface TurnsOptions {
  /** Sends a pod an event, if it has a session. */
  send: (uid: string, event: TurnEvent) => void
  /** Ends the session of a pod, which is to look for the coordinator that decides. */
  dismiss: (uid: string) => void
  authority: Pick<Authority, 'whyNot' | 'isElsewhere'>
  /** How long a pod that lost its session counts as down, in milliseconds. */
  lostGrace: () => number
  /** How long a pod that ended on purpose does, unless a new one joins its group, in milliseconds. */
  turnGrace: () => number
  onEnd: (identity: PodIdentity, end: TurnEnd) => void
  clock: Pick<Clock, 'elapsed' | 'wait'>
  /** Pods without a session that are remembered. */
  limit: number
}

/** Messages that come close together are answered together, in milliseconds: a rotation reaches all pods of a group at once. */
const answerMs = 100
/** How often turns are checked for their end, in milliseconds. */
const checkMs = 1_000

/** The turns of all groups, which have nothing to do with each other. */
export class Turns {
  readonly #options: TurnsOptions
  /** By namespace and group. */
  readonly #groups = new Map<string, Group>()
  /** Pods that take turns, by uid. */
  readonly #pods = new Map<string, { identity: PodIdentity; sent: string; isDue: boolean }>()
  /** Pods without a session, in the order in which they lost it. */
  readonly #lost = new Set<string>()
  #timer: { dueAt: number; cancel: () => void } | undefined

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  /** Takes what a pod's sidecar said. */
  take(identity: PodIdentity, state: TurnState): void {
    const { clock } = this.#options
    const { uid, pod } = identity
    const key = keyOf(identity)
    const known = this.#pods.get(uid)
    // A pod may have tokens for several groups. It is a member of one: its sessions replace each other, so no other member would be lost.
    if (known && keyOf(known.identity) !== key) this.#forget(uid)
    const group = this.#groups.get(key) ?? new Group()
    this.#groups.set(key, group)
    group.take({ uid, pod }, state, clock.elapsed())
    this.#pods.set(uid, { identity, sent: this.#pods.get(uid)?.sent ?? '', isDue: true })
    this.#lost.delete(uid)
    this.#schedule(answerMs)
  }

  /** A pod lost its session, with or without having said that it ends. */
  end(uid: string, hasLeft: boolean): void {
    const known = this.#pods.get(uid)
    if (!known) return
    const group = this.#groups.get(keyOf(known.identity))
    const now = this.#options.clock.elapsed()
    if (hasLeft) group?.leave(uid, now)
    else group?.lose(uid, now)
    known.sent = ''
    this.#lost.add(uid)
    for (const oldest of this.#lost) {
      if (this.#lost.size <= this.#options.limit) break
      this.#forget(oldest)
    }
    this.#schedule(answerMs)
  }

  /** What a heartbeat repeats; undefined for a pod that takes no turns. */
  answer(uid: string): TurnEvent | undefined {
    const known = this.#pods.get(uid)
    const group = known && this.#groups.get(keyOf(known.identity))
    return group && this.#withReason(group.answer(uid))
  }

  /** Why a pod has not switched to a set that it has; undefined if it waits for nothing. */
  waitsFor(uid: string): string | undefined {
    const { answer, reason } = this.answer(uid) ?? {}
    if (answer === 'halted') return `halted: ${reason}`
    return answer === 'queued' ? `it waits for its turn: ${reason ?? 'it is next'}` : undefined
  }

  /** Pods that wait for a turn, and groups in which versions are halted. */
  counts(): { waiting: number; halted: number } {
    const groups = [...this.#groups.values()]
    const waiting = groups.flatMap(({ members }) =>
      [...members.values()].filter(({ request }) => request?.phase === 'waiting'),
    )
    return { waiting: waiting.length, halted: groups.filter(({ halts }) => halts.list.length > 0).length }
  }

  close(): void {
    this.#timer?.cancel()
  }

  #forget(uid: string): void {
    const known = this.#pods.get(uid)
    if (!known) return
    const group = this.#groups.get(keyOf(known.identity))
    group?.forget(uid)
    if (group) this.#report(group)
    this.#pods.delete(uid)
    this.#lost.delete(uid)
  }

  #schedule(delayMs: number): void {
    const { clock } = this.#options
    const dueAt = clock.elapsed() + delayMs
    if (this.#timer && this.#timer.dueAt <= dueAt) return
    this.#timer?.cancel()
    const check = (): void => {
      this.#timer = undefined
      this.#check()
    }
    this.#timer = { dueAt, cancel: startTimer(clock, delayMs, check) }
  }

  /** Ends and grants turns, and sends what is new. */
  #check(): void {
    const { clock, lostGrace, turnGrace, authority } = this.#options
    const now = clock.elapsed()
    for (const [key, group] of this.#groups) {
      group.expire(now, now - lostGrace(), now - turnGrace())
      if (authority.whyNot() === undefined) group.grant(now)
      this.#report(group)
      if (authority.isElsewhere()) this.#dismiss(group)
      this.#send(group)
      if (group.members.size === 0) this.#groups.delete(key)
    }
    for (const [uid, { identity }] of this.#pods) {
      if (!this.#groups.get(keyOf(identity))?.members.has(uid)) {
        this.#pods.delete(uid)
        this.#lost.delete(uid)
      }
    }
    if (this.#groups.size > 0) this.#schedule(checkMs)
  }

  /** Sends each pod that said something, or whose answer is another, what it has to know; the place in the queue may be old. */
  #send(group: Group): void {
    const halts = JSON.stringify(group.halts.list)
    for (const { uid, lostAt } of group.members.values()) {
      const known = this.#pods.get(uid)
      if (!known || lostAt !== undefined) continue
      const event = group.answer(uid)
      const { id, answer, take } = event
      const sent = `${id} ${answer} ${take} ${halts}`
      if (!known.isDue && sent === known.sent) continue
      known.isDue = false
      known.sent = sent
      this.#options.send(uid, this.#withReason(event))
    }
  }

  #dismiss(group: Group): void {
    const members = [...group.members.values()]
    for (const { uid, request, lostAt } of members) if (request && lostAt === undefined) this.#options.dismiss(uid)
  }

  #report(group: Group): void {
    for (const end of group.takeEnds()) {
      const known = this.#pods.get(end.uid)
      if (known) this.#options.onEnd(known.identity, end)
    }
  }

  #withReason(event: TurnEvent): TurnEvent {
    const reason = event.answer === 'queued' ? this.#options.authority.whyNot() : undefined
    return reason === undefined ? event : { ...event, reason }
  }
}

const keyOf = ({ namespace, group }: PodIdentity): string => `${namespace} ${group}`
