import { constants } from 'node:os'
import { annotationPrefix } from '../../shared/names.ts'
import type { SignalName } from '../../shared/signals.ts'
import { ageOf, type ProcFolder, type Process } from './processes.ts'
import { called, isLive, isSame } from './target.ts'

/** kill(2): throws an error whose `code` is ESRCH, EPERM or EACCES. */
export type Kill = (pid: number, signal: SignalName | 0) => void

export interface Sent {
  outcome: 'delivered' | 'no-such-process' | 'not-permitted'
  detail: string
  /** Those that got it. */
  processes: Process[]
}

/**
 * Sends a signal to each process, or with 0 tries whether it may. Each is looked at once more just before, so that a pid
 * that was given to another process since gets nothing. One refusal makes the whole `not-permitted`; processes that ended
 * matter only when all did.
 */
export function sendSignal(proc: ProcFolder, processes: Process[], signal: SignalName | 0, kill: Kill): Sent {
  const what = signal === 0 ? 'may be signalled' : `got ${signal}`
  const got: Process[] = []
  const refused: { process: Process; code: string }[] = []
  for (const process of processes) {
    const now = proc.stat(process.pid)
    if (now === undefined || !isSame(now, process) || !isLive(now)) continue
    try {
      kill(process.pid, signal)
      got.push(process)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ESRCH') refused.push({ process, code: code ?? String(error) })
    }
  }
  if (refused.length > 0) return { outcome: 'not-permitted', detail: refusal(proc, refused), processes: got }
  if (got.length > 0) return { outcome: 'delivered', detail: `${got.map(called).join(', ')} ${what}`, processes: got }
  return { outcome: 'no-such-process', detail: `${processes.map(called).join(', ')} has ended`, processes: got }
}

/** CAP_KILL, with which any process may be signalled. */
const capKill = 1n << 5n

/** Who is whose, and which annotation lets the sidecar signal: a process may signal those of its own user id (kill(2)). */
function refusal(proc: ProcFolder, refused: { process: Process; code: string }[]): string {
  const { uids: [, own] = [], capabilities = 0n } = proc.status('self') ?? {}
  const uids = new Set(refused.map(({ process }) => proc.status(process.pid)?.uids[0]))
  const names = refused.map(({ process }) => called(process)).join(', ')
  const [uid] = uids
  const head = `the sidecar, user ${own ?? 'unknown'}, may not signal ${names}`
  const isOfUser = (capabilities & capKill) === 0n && !(uids.size === 1 && uid === own)
  if (!isOfUser || refused.some(({ code }) => code !== 'EPERM'))
    return `${head} (${[...new Set(refused.map(({ code }) => code))].join(', ')}): not for its user id; look for a seccomp, AppArmor or SELinux profile that differs between the containers` // prettier-ignore
  const capability = `${annotationPrefix}signal-permission: cap-kill`
  if (uids.size > 1) return `${head}, which run as several users (${[...uids].join(', ')}): set the annotation ${capability}` // prettier-ignore
  if (uid === undefined) return `${head}, whose user id cannot be read: set the annotation ${capability}`
  return `${head}, user ${uid}: set the annotation ${annotationPrefix}run-as-user: "${uid}", or ${capability} where the cluster's admin allows it` // prettier-ignore
}

/** What a process would do with a signal, as far as the kernel shows: Go programs and JVMs catch signals only to end by them. */
export type Handling = 'caught' | 'ignored' | 'blocked' | 'default' | 'unknown'

export function handlingOf(proc: ProcFolder, pid: number, signal: SignalName): Handling {
  const { caught, ignored, blocked } = proc.status(pid) ?? {}
  if (caught === undefined || ignored === undefined || blocked === undefined) return 'unknown'
  const bit = 1n << BigInt(constants.signals[signal] - 1)
  if ((caught & bit) !== 0n) return 'caught'
  if ((ignored & bit) !== 0n) return 'ignored'
  return (blocked & bit) !== 0n ? 'blocked' : 'default'
}

/** A program needs a moment to install its handlers, and until then a signal ends it. */
const settling = { handled: 1_000, unhandled: 10_000 }

/**
 * Whether a process is old enough for a signal: ten seconds, or one where it shows a handler. So a process that starts
 * while a notification waits is not ended by it before it could listen.
 */
export function isSettled(proc: ProcFolder, process: Process, signal: SignalName): boolean {
  const age = ageOf(proc, process)
  if (age === undefined || age >= settling.unhandled) return true
  return age >= settling.handled && handlingOf(proc, process.pid, signal) !== 'default'
}
