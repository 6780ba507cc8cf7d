import { formatDuration } from '../../shared/duration.ts'
import type { TurnEvent, TurnRequest } from '../../shared/coordination/turns.ts'
import type { Halts } from './halts.ts'
import type { Member } from './member.ts'
import { mostUnavailable } from './unavailable.ts'

/**
 * Who of a group may go at one moment. A pod that is up gets a turn only if fewer pods are down, or hold one, than may be
 * unavailable; the first with new versions is alone. A pod that is down gets its turn at once: a new set can only help it.
 */
export class Standing {
  readonly #halts: Halts
  readonly #members: number
  readonly #most: number
  /** The pods that wait, in their order. */
  readonly #queue: Member[]
  readonly #places: ReadonlyMap<Member, number>
  readonly #held: Member[]
  /** Those of them that are the first with new versions. */
  readonly #canaries: Member[]
  readonly #unavailable: Member[]

  constructor(members: readonly Member[], halts: Halts) {
    const connected = members.filter(({ lostAt }) => lostAt === undefined)
    this.#halts = halts
    this.#members = connected.length
    this.#most = mostUnavailable(connected.map(({ maxUnavailable }) => maxUnavailable))
    this.#queue = connected.filter(({ request, turn }) => request?.phase === 'waiting' && !turn).toSorted(byOrder)
    this.#places = new Map(this.#queue.map((member, index) => [member, index]))
    this.#held = members.filter(({ turn }) => turn)
    this.#canaries = this.#held.filter(({ turn }) => turn?.isCanary)
    this.#unavailable = members.filter(isUnavailable)
  }

  /** Grants what may be granted. */
  grant(now: number): void {
    for (const member of this.#queue) {
      const { request } = member
      if (!request || this.#obstacle(member, request) !== undefined) continue
      const isCanary = !this.#halts.areProven(request.versions)
      if (!isUnavailable(member)) this.#unavailable.push(member)
      member.turn = { id: request.id, versions: request.versions, isCanary, isHealing: !member.isUp, grantedAt: now }
      this.#held.push(member)
      if (isCanary) this.#canaries.push(member)
    }
  }

  /** What a pod has to be sent. */
  answer(member: Member | undefined): TurnEvent {
    const common = { members: this.#members, halts: [...this.#halts.list] }
    const { request, turn } = member ?? {}
    if (!member || !request) return common
    const { id, phase, take } = request
    if (phase === 'done' || phase === 'failed') return { ...common, id, answer: 'ended' }
    if (phase === 'switched' || turn?.taken?.take === take) return { ...common, id, answer: 'acknowledged', take }
    if (phase === 'waiting' && turn) return { ...common, id, answer: 'granted' }
    const halted = this.#haltReason(request)
    if (halted !== undefined) return { ...common, id, answer: 'halted', reason: halted }
    const reason = this.#obstacle(member, request)
    const place = this.#places.get(member) ?? 0
    return { ...common, id, answer: 'queued', place, ...(reason !== undefined && { reason }) }
  }

  /**
   * A person who asks for a set with the annotation `refresh` says that it is worth another attempt. A pod that replaces the bad one
   * of several versions that failed together shows whether the others are good.
   */
  #haltReason = ({ isRefresh, isRepair, versions }: TurnRequest): string | undefined =>
    isRefresh || isRepair ? undefined : this.#halts.reason(versions)

  /** Why a pod has to wait; undefined if it need not. */
  #obstacle(member: Member, request: TurnRequest): string | undefined {
    const halted = this.#haltReason(request)
    if (halted !== undefined || !member.isUp) return halted
    const canary = this.#canaries.find((other) => other !== member)
    if (canary) return `${canary.pod} is the first with new versions, and is yet to come up`
    const holder = this.#held.find((other) => other !== member)
    if (holder && !this.#halts.areProven(request.versions))
      return `the first pod with new versions is alone, and ${holder.pod} holds a turn`
    const count = this.#unavailable.length - (isUnavailable(member) ? 1 : 0)
    if (count < this.#most) return undefined
    const first = this.#unavailable.slice(0, 4).filter((other) => other !== member)
    return `${count} pods are unavailable, and ${this.#most} may be: ${first.slice(0, 3).map(whyUnavailable).join(', ')}`
  }
}

const isUnavailable = ({ isUp, turn, lostAt }: Member): boolean => !isUp || turn !== undefined || lostAt !== undefined

/** What a person asked for comes first, then pods that are down. */
function byOrder(one: Member, other: Member): number {
  const rank = ({ request, isUp }: Member): number => (request?.isRefresh ? 0 : 2) + (isUp ? 1 : 0)
  return rank(one) - rank(other) || (one.place ?? 0) - (other.place ?? 0)
}

function whyUnavailable({ pod, turn, lostAt, hasLeft, timeoutMs }: Member): string {
  if (turn) return `${pod} holds a turn of at most ${formatDuration(timeoutMs)}`
  if (hasLeft) return `${pod} has ended, and no new pod has a session yet`
  return lostAt === undefined ? `${pod} is not up` : `${pod} has no session`
}
