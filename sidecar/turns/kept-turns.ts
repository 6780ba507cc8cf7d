import { parseHalts, turnText, type Halt } from '../../shared/coordination/turns.ts'

/** How the turn of the set that is served ended. */
export interface TurnEnd {
  id: string
  phase: 'done' | 'failed'
  cause?: string
  /** Whether the coordinator knows it. */
  isEnded: boolean
}

/** What a sidecar keeps in its volume for its next process. */
export interface KeptTurns {
  halts: Halt[]
  end?: TurnEnd
}

export const formatKept = (kept: KeptTurns): string => JSON.stringify(kept)

/** Reads what an earlier process kept, or a process of the app forged: what is not valid is left out. */
export function parseKept(text: string): KeptTurns {
  const { halts, end } = fieldsOf(text)
  const parsed = parseEnd(end)
  return { halts: parseHalts(halts) ?? [], ...(parsed && { end: parsed }) }
}

function fieldsOf(text: string): Partial<Record<keyof KeptTurns, unknown>> {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

function parseEnd(value: unknown): TurnEnd | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { id, phase, cause, isEnded } = value as Partial<Record<keyof TurnEnd, unknown>>
  if (typeof id !== 'string' || (phase !== 'done' && phase !== 'failed')) return undefined
  return { id, phase, ...(typeof cause === 'string' && { cause: turnText(cause) }), isEnded: isEnded === true }
}
