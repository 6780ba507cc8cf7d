import type { Settings } from '../shared/settings.ts'
import type { Missing } from './compose.ts'
import type { LiveValues } from './live.ts'
import type { Memory, Problem } from './memory.ts'
import type { Lacking } from './start.ts'
import type { Source } from './sources.ts'

/** What is known of one vault's polls. Times of the wall clock are in milliseconds since 1970. */
export interface VaultState {
  /** As messages call it. */
  name: string
  url: string
  sources: readonly Source[]
  lastPollAt?: number
  /** When it last said anything of an object; absent where it has not since the start of the process. */
  lastAnswerAt?: number
  /** When a poll last found nothing wrong. */
  lastSuccessAt?: number
  lastError?: { at: number; message: string }
  /** Whether a poll of it has ended, well or not. */
  isPolled: boolean
  /** Of its poller: polls in a row that failed, and when the next is due on the clock that never goes back. */
  schedule: { readonly failures: number; readonly dueAt: number }
}

/** What the sidecar knows of itself: status, metrics and the start's patience are read off it. */
export interface State {
  settings: Settings
  pod: { name: string; namespace: string }
  startedAt: { now: number; elapsed: number }
  /** The set that is served: since when, and when it was switched in. */
  serving?: { since: number; switchedAt: number }
  /** Whether the set was found in the volume when the process started. */
  isRecalled: boolean
  /** What the first set still lacks. */
  missing: Missing[]
  volumeProblem?: Problem
  /** What something other than the sidecar changed in the volume, and when that was last found; some of the entries, and how many there are. */
  tampered?: { at: number; entries: readonly string[]; count: number }
  /** Templates and bundles that could not be made, by path. */
  textProblems: Map<string, Problem>
  live: LiveValues
  memory: Memory
  vaults: VaultState[]
}

/** Whether what is served is from before this process, and not every vault has been heard of since. */
export const isStale = ({ isRecalled, serving, vaults }: State): boolean =>
  isRecalled && serving !== undefined && vaults.some(({ lastAnswerAt }) => lastAnswerAt === undefined)

/** What the first set still lacks, each with the reason where one is known. */
export function whatIsMissing({ missing, memory, textProblems, volumeProblem }: State): Lacking[] {
  // prettier-ignore
  const reasons = missing.map((one) => ({
    what: one.what,
    problem: 'object' in one ? memory.problems.get(one.object) : textProblems.get(one.text),
  }))
  return volumeProblem ? [...reasons, { what: 'the volume', problem: volumeProblem }] : reasons
}
