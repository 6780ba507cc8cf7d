import { formatDuration } from '../shared/duration.ts'
import { printableLines } from '../shared/printable.ts'
import type { Problem } from './memory.ts'

/** For how long failures that no retry soon cures are tried at the start: roles just granted take a while. */
export const firmPatience = 15_000
/** The kubelet keeps no more of a termination message. */
const longestReason = 4096

export interface Waiting {
  /** On the clock that never goes back. */
  startedAt: number
  now: number
  startupTimeout: number
  /** What the first set still lacks, and why, where a reason is known. */
  missing: readonly { what: string; problem: Problem | undefined }[]
}

/** Whether to give up waiting for the first set: the reason, a line for each thing that is missing, or undefined to go on. */
export function whyGiveUp({ startedAt, now, startupTimeout, missing }: Waiting): string | undefined {
  const isFirm = ({ problem }: { problem: Problem | undefined }) =>
    problem?.firmSince !== undefined && now - problem.firmSince >= firmPatience
  const isLate = now - startedAt >= startupTimeout
  if (!isLate && !missing.some(isFirm)) return undefined
  const known = missing.flatMap(({ problem }) => (problem ? [problem.message] : []))
  const lines = known.length > 0 ? known : missing.map(({ what }) => `${what}: no answer yet`)
  if (isLate) lines.push(`gave up after ${formatDuration(startupTimeout)}, the pod's startup-timeout`)
  return bounded([...new Set(lines)])
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
