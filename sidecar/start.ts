import { formatDuration } from '../shared/duration.ts'
import { printableLines } from '../shared/printable.ts'
import type { Problem } from './memory.ts'

/** For how long permanent failures are retried at the start, in milliseconds: roles that were just granted take a while. */
export const firmPatience = 15_000
/** The same for doubtful ones: networks, DNS zones and service meshes of a new pod take longer. */
export const doubtfulPatience = 50_000
/** The kubelet keeps no more of a termination message. */
const longestReason = 4096

/** A part of the first set that is not there, and why, if a reason is known. */
export interface Lacking {
  what: string
  problem: Problem | undefined
}

export interface Waiting {
  /** On the clock that never goes back. */
  startedAt: number
  now: number
  startupTimeout: number
  missing: readonly Lacking[]
}

/** Whether to give up waiting for the first set: the reason, a line for each thing that is missing, or undefined to go on. */
export function whyGiveUp({ startedAt, now, startupTimeout, missing }: Waiting): string | undefined {
  const isPast = (since: number | undefined, patience: number) => since !== undefined && now - since >= patience
  const isHopeless = ({ problem }: Lacking) =>
    isPast(problem?.firmSince, firmPatience) || isPast(problem?.doubtfulSince, doubtfulPatience)
  const isLate = isPast(startedAt, startupTimeout)
  if (!isLate && !missing.some(isHopeless)) return undefined
  const lines = reasonLines(missing)
  if (isLate) lines.push(`gave up after ${formatDuration(startupTimeout)}, the pod's startup-timeout`)
  return bounded(lines)
}

/** Why the first set is not there yet, for the termination message of a process that ends before it is. */
export const whyWaiting = (missing: readonly Lacking[]): string => bounded(reasonLines(missing))

/** Each known reason once; if there is none, a line for each thing that is missing. */
function reasonLines(missing: readonly Lacking[]): string[] {
  const known = missing.flatMap(({ problem }) => (problem ? [problem.message] : []))
  return [...new Set(known.length > 0 ? known : missing.map(({ what }) => `${what}: no answer yet`))]
}

/** Joins lines, their unprintable characters escaped, leaving out the last ones if they would take more than the kubelet keeps. */
export function bounded(said: readonly string[]): string {
  const lines = said.map(printableLines)
  const rest = (count: number) => `... and ${count} more; see the log`
  let text = ''
  for (const [index, line] of lines.entries()) {
    const next = text === '' ? line : `${text}\n${line}`
    const tail = index < lines.length - 1 ? `\n${rest(lines.length - index - 1)}` : ''
    if (Buffer.byteLength(next + tail) > longestReason) {
      return text === '' ? cut(line) : `${text}\n${rest(lines.length - index)}`
    }
    text = next
  }
  return text
}

const cut = (line: string): string => new TextDecoder().decode(Buffer.from(line).subarray(0, longestReason - 3)).replace(/\ufffd$/, '') // prettier-ignore
