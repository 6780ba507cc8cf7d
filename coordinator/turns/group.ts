import { turnText, type TurnEvent, type TurnRequest, type TurnState } from '../../shared/coordination/turns.ts'
import { Halts } from './halts.ts'
import type { Member, TurnEnd, TurnOutcome } from './member.ts'
import { Standing } from './standing.ts'

/** A grant that was not taken for so long is withdrawn, in milliseconds: the sidecar switches only if the take is acknowledged. */
const grantMs = 30_000
/**
 * How long a turn may be held beyond its time, in milliseconds: until its sidecar, which counts from the switch, has said that the app did
 * not come up. A turn that is lost halts nothing, so the next pod would go down with the same versions.
 */
const verdictMs = 30_000
/** The longest time for which a turn may be held, whatever a sidecar says, in milliseconds. */
const longestTurnMs = 24 * 3_600_000

/**
 * Pods that switch one after the other: a state machine. Messages and the time of the monotonic clock go in, and {@link answer} is
 * what each pod is to be sent.
 */
export class Group {
  readonly members = new Map<string, Member>()
  readonly halts = new Halts()
  #places = 0
  #ends: TurnEnd[] = []
  /** Who may go; computed again after each message. */
  #standing: Standing | undefined

  /** The ends since the last call. */
  takeEnds(): TurnEnd[] {
    return this.#ends.splice(0)
  }

  /** Takes what a pod's sidecar said. */
  take(pod: { uid: string; pod: string }, state: TurnState, now: number): void {
    this.#standing = undefined
    const { maxUnavailable, isUp, request } = state
    const timeoutMs = Math.min(state.timeoutMs, longestTurnMs)
    const before = this.members.get(pod.uid)
    if (!before) this.#replace()
    const member: Member = { ...before, ...pod, maxUnavailable, timeoutMs, isUp, lostAt: undefined, hasLeft: false }
    this.members.set(pod.uid, member)
    for (const halt of state.halts) this.halts.learn(halt)
    const { turn } = member
    // A pod that came up before it switched has to wait like the others; its sidecar does not switch then, either.
    const isHealed = turn?.isHealing && isUp && request?.phase !== 'switched' && request?.phase !== 'done'
    if (turn && (turn.id !== request?.id || isHealed)) this.#end(member, 'declined')
    member.request = request
    if (request) this.#request(member, request, now)
    else member.place = undefined
  }

  /** A pod lost its session: it counts as down until it comes back, or is forgotten. */
  lose(uid: string, now: number): void {
    this.#standing = undefined
    const member = this.members.get(uid)
    if (!member) return
    member.lostAt ??= now
    // Only an acknowledged turn can have been used.
    if (member.turn && !member.turn.taken) this.#end(member, 'declined')
  }

  /** A pod ends on purpose: it holds and fails nothing, and counts as down until a new pod joins, or it is forgotten. */
  leave(uid: string, now: number): void {
    this.#standing = undefined
    const member = this.members.get(uid)
    if (!member) return
    if (member.turn) this.#end(member, 'left')
    Object.assign(member, { lostAt: now, hasLeft: true, request: undefined, place: undefined })
  }

  /** Nothing more is known of a pod. */
  forget(uid: string): void {
    this.#standing = undefined
    const member = this.members.get(uid)
    if (member?.turn) this.#end(member, 'left')
    this.members.delete(uid)
  }

  /**
   * Ends what has had its time.
   * @param lostBefore pods that lost their sessions before this time are forgotten unless they hold a turn
   * @param leftBefore the same for pods that ended on purpose, and were not replaced
   */
  expire(now: number, lostBefore: number, leftBefore: number): void {
    for (const member of this.members.values()) {
      const { turn } = member
      if (turn?.taken && now >= turn.taken.until) {
        this.halts.doubt(turn.versions)
        this.#end(member, 'lost')
      } else if (turn && !turn.taken && now - turn.grantedAt >= grantMs) {
        this.#end(member, 'declined')
        member.place = this.#places++
      }
      if (!member.turn && (member.lostAt ?? Infinity) < (member.hasLeft ? leftBefore : lostBefore)) {
        this.#standing = undefined
        this.members.delete(member.uid)
      }
    }
  }

  /** Grants what may be granted now. */
  grant(now: number): void {
    this.#now().grant(now)
  }

  /** What a pod has to be sent. */
  answer(uid: string): TurnEvent {
    return this.#now().answer(this.members.get(uid))
  }

  #now = (): Standing => (this.#standing ??= new Standing([...this.members.values()], this.halts))

  /** A new pod takes the place of one that left. */
  #replace(): void {
    const left = [...this.members.values()].find(({ hasLeft }) => hasLeft)
    if (left) this.members.delete(left.uid)
  }

  #request(member: Member, request: TurnRequest, now: number): void {
    const { id, phase, take, versions, heldMs } = request
    const { turn, timeoutMs } = member
    switch (phase) {
      case 'waiting':
        // The acknowledgment came too late.
        if (turn?.taken) this.#end(member, 'declined')
        member.place ??= this.#places++
        break
      case 'taken':
        if (turn) turn.taken = { take, until: turn.taken?.until ?? now + timeoutMs + verdictMs }
        break
      case 'switched':
        // A coordinator that has just started learns of a turn that another one granted, or of a pod that went ahead alone.
        if (!turn && heldMs < timeoutMs + verdictMs) {
          const isCanary = !this.halts.areProven(versions)
          const until = now + timeoutMs + verdictMs - heldMs
          member.turn = { id, versions, isCanary, isHealing: false, grantedAt: now, taken: { take, until } }
        }
        break
      case 'done':
      case 'failed':
        this.#finish(member, request)
    }
  }

  #finish(member: Member, { id, phase, versions, cause = 'it did not come up' }: TurnRequest): void {
    const end = `${phase} ${id}`
    member.place = undefined
    if (member.ended === end) return
    member.ended = end
    if (phase === 'done') this.halts.prove(versions)
    else this.halts.halt({ versions, reason: turnText(`${member.pod}: ${cause}`) })
    this.#end(member, phase === 'done' ? 'done' : 'failed')
  }

  #end(member: Member, outcome: TurnOutcome): void {
    this.#standing = undefined
    const { uid, pod, request } = member
    member.turn = undefined
    this.#ends.push({ uid, pod, outcome, ...(request && { request }) })
  }
}
