import { randomBytes } from 'node:crypto'
import type { Clock } from '../../shared/clock.ts'
import { parseTurnRequest, type Halt, type TurnEvent, type TurnPhase } from '../../shared/coordination/turns.ts'
import type { HeldTurn, TurnStatus } from '../poll/turns.ts'
import type { Manifest } from '../volume/manifest.ts'
import type { TurnEnd } from './kept-turns.ts'
import type { WantedSet } from './wanted-set.ts'

/** A request, with what only the sidecar knows of it. Times are on the monotonic clock unless stated otherwise. */
export interface Request extends HeldTurn, Pick<WantedSet, 'haltable'> {
  /** The same for sets with the same versions. */
  key: string
  phase: TurnPhase
  phaseSince: number
  /** When the phase began, in milliseconds since 1970. */
  since: number
  /** When a set began to wait: this one, or one that it replaced. */
  waitsSince: number
  switchedAt: number
  /** Whether the turn was granted because the pod was down: one that came up meanwhile waits like the others. */
  isHealing: boolean
  cause?: string | undefined
  /** Whether the coordinator knows how it ended. */
  isEnded: boolean
}

type Times = Pick<Clock, 'now' | 'elapsed'>

export const isWaiting = ({ phase }: Pick<Request, 'phase'>): boolean => phase === 'waiting' || phase === 'taken'

/** @param last the request that it replaces */
export function createRequest(
  { key, versions, haltable, objects }: WantedSet,
  isRefresh: boolean,
  last: Request | undefined,
  clock: Times,
): Request {
  const phaseSince = clock.elapsed()
  return {
    id: randomBytes(16).toString('base64url'),
    ...{ key, versions, haltable, objects, isRefresh, phaseSince },
    waitsSince: last && isWaiting(last) ? last.waitsSince : phaseSince,
    ...{ phase: 'waiting', take: 0, since: clock.now(), switchedAt: 0, isHealing: false, isEnded: false },
  }
}

/** The turn of the set that is served, as far as it concerns a later process; its times are those of the wall clock. */
export function restoreRequest(
  { turn, switchedAt }: Manifest,
  lastEnd: TurnEnd | undefined,
  clock: Times,
): Request | undefined {
  const held = parseTurnRequest({ ...(turn as object | undefined), phase: 'switched', heldMs: 0 })
  if (!held) return undefined
  const { phase, cause, isEnded } = lastEnd?.id === held.id ? lastEnd : openEnd
  const began = clock.elapsed() - Math.max(0, clock.now() - switchedAt)
  const times = { phaseSince: began, since: switchedAt, waitsSince: began, switchedAt: began }
  const set = { key: held.versions.join(' '), haltable: held.versions }
  return { ...held, ...times, ...set, phase, cause, isHealing: false, isEnded }
}

const openEnd = { phase: 'switched', cause: undefined, isEnded: false } as const

/** The halt that keeps a set from being switched in. */
export const haltOf = ({ haltable }: Pick<Request, 'haltable'>, halts: readonly Halt[]): Halt | undefined =>
  halts.find((halt) => halt.versions.some((one) => haltable.includes(one)))

/** Describes a request for `/status`. */
export function statusOf(
  request: Request | undefined,
  {
    answer,
    halts,
    isConnected,
    clock,
  }: {
    answer: TurnEvent | undefined
    halts: readonly Halt[]
    isConnected: boolean
    clock: Times
  },
): TurnStatus {
  const base = { halts, waitingMs: 0 }
  if (!request || request.phase === 'done') return { ...base, state: 'none' }
  const { phase, since, cause, waitsSince } = request
  if (phase === 'switched' || phase === 'failed')
    return { ...base, state: phase, since, ...(cause !== undefined && { reason: cause }) }
  const halt = haltOf(request, halts)
  const reason = halt?.reason ?? answer?.reason ?? (isConnected ? undefined : 'no session with the coordinator')
  return {
    ...{ halts, since, waitingMs: Math.max(0, clock.elapsed() - waitsSince) },
    state: halt && phase === 'waiting' ? 'halted' : phase,
    ...(answer?.place !== undefined && { place: answer.place }),
    ...(reason !== undefined && { reason }),
  }
}
