import type { MaxUnavailable, TurnRequest } from '../../shared/coordination/turns.ts'

/** A turn that a pod holds. Times are on the monotonic clock. */
export interface Turn {
  id: string
  versions: readonly string[]
  /** Whether no pod had come up with the versions when it was granted. */
  isCanary: boolean
  /** Whether it was granted at once because the pod was down. */
  isHealing: boolean
  grantedAt: number
  /** The take that was acknowledged, and until when the turn may be held; absent until then. */
  taken?: { take: number; until: number }
}

/** A pod of a group that takes turns. */
export interface Member {
  readonly uid: string
  readonly pod: string
  isUp: boolean
  maxUnavailable: MaxUnavailable
  /** How long it may hold a turn, in milliseconds. */
  timeoutMs: number
  request?: TurnRequest | undefined
  /** Places belong to pods: another request keeps it. */
  place?: number | undefined
  turn?: Turn | undefined
  /** When it lost its session; absent while it has one. */
  lostAt?: number | undefined
  /** Whether it ended on purpose: a new pod may be about to replace it. */
  hasLeft?: boolean
  /** The end of a request that was taken over last. */
  ended?: string | undefined
}

/** Why a turn ended; a label of a metric. `lost`: it neither came up nor failed in time. `declined`: it wants something else. */
export const turnOutcomes = ['done', 'failed', 'lost', 'left', 'declined'] as const
export type TurnOutcome = (typeof turnOutcomes)[number]

/** The end of a turn. */
export interface TurnEnd {
  uid: string
  pod: string
  outcome: TurnOutcome
  request?: TurnRequest
}
