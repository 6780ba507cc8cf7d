import { constants } from 'node:os'
import { annotationPrefix } from '../../../shared/names.ts'
import type { SignalName } from '../../../shared/signals.ts'
import { ageOf, type ProcFolder, type Process } from './procfs.ts'
import { nameOf, isLive, isSame } from './target.ts'

/** kill(2): throws an error whose `code` is ESRCH, EPERM or EACCES. */
export type Kill = (pid: number, signal: SignalName | 0) => void

export interface SendResult {
  outcome: 'delivered' | 'no-such-process' | 'not-permitted'
  detail: string
  /** Those that received it. */
  processes: Process[]
}

/**
 * Sends a signal to each process, or with 0 tests the permission. Each process is checked again immediately before, so that
 * a process that has reused the pid receives nothing. One refusal makes the result `not-permitted`; ended processes matter
 * only if all have ended.
 */
export function sendSignal(proc: ProcFolder, processes: Process[], signal: SignalName | 0, kill: Kill): SendResult {
  const what = signal === 0 ? 'can be signaled' : `received ${signal}`
  const got: Process[] = []
  const refused: { target: Process; code: string }[] = []
  for (const target of processes) {
    const now = proc.stat(target.pid)
    if (now === undefined || !isSame(now, target) || !isLive(now)) continue
    try {
      kill(target.pid, signal)
      got.push(target)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ESRCH') refused.push({ target, code: code ?? String(error) })
    }
  }
  if (refused.length > 0) return { outcome: 'not-permitted', detail: refusal(proc, refused), processes: got }
  if (got.length > 0) return { outcome: 'delivered', detail: `${got.map(nameOf).join(', ')} ${what}`, processes: got }
  return { outcome: 'no-such-process', detail: `${processes.map(nameOf).join(', ')} has ended`, processes: got }
}

/** CAP_KILL permits signaling any process. */
const capKill = 1n << 5n

/** Which user each process has, and which annotation permits the signal: a process may signal those of its own user ID (kill(2)). */
function refusal(proc: ProcFolder, refused: { target: Process; code: string }[]): string {
  const { uids: [, own] = [], capabilities = 0n } = proc.status('self') ?? {}
  const uids = new Set(refused.map(({ target }) => proc.status(target.pid)?.uids[0]))
  const names = refused.map(({ target }) => nameOf(target)).join(', ')
  const [uid] = uids
  const head = `the sidecar, user ${own ?? 'unknown'}, is not permitted to signal ${names}`
  const isOfUser = (capabilities & capKill) === 0n && !(uids.size === 1 && uid === own)
  if (!isOfUser || refused.some(({ code }) => code !== 'EPERM'))
    return `${head} (${[...new Set(refused.map(({ code }) => code))].join(', ')}), but not because of its user ID: check whether the containers' seccomp, AppArmor or SELinux profiles differ`
  const capability = `${annotationPrefix}signal-permission: cap-kill`
  if (uids.size > 1)
    return `${head}, which run as several users (${[...uids].join(', ')}): set the annotation ${capability}`
  if (uid === undefined) return `${head}, whose user ID cannot be read: set the annotation ${capability}`
  return `${head}, user ${uid}: set the annotation ${annotationPrefix}run-as-user: "${uid}", or ${capability} if the cluster's administrator allows it`
}

/** How a process handles a signal, as far as the kernel shows it: Go programs and JVMs catch signals only to terminate. */
export type Handling = 'caught' | 'ignored' | 'blocked' | 'default' | 'unknown'

export function handlingOf(proc: ProcFolder, pid: number, signal: SignalName): Handling {
  const { caught, ignored, blocked } = proc.status(pid) ?? {}
  if (caught === undefined || ignored === undefined || blocked === undefined) return 'unknown'
  const bit = 1n << BigInt(constants.signals[signal] - 1)
  if ((caught & bit) !== 0n) return 'caught'
  if ((ignored & bit) !== 0n) return 'ignored'
  return (blocked & bit) !== 0n ? 'blocked' : 'default'
}

/** A program needs time to install its handlers; until then, a signal terminates it. */
const warmUpMs = { handled: 1_000, unhandled: 10_000 }

/**
 * True if a process is old enough for a signal: ten seconds, or one if it has a handler. So the signal does not terminate a
 * process that started while a notification was waiting and has not installed its handlers yet.
 */
export function isWarmedUp(proc: ProcFolder, target: Process, signal: SignalName): boolean {
  const age = ageOf(proc, target)
  if (age === undefined || age >= warmUpMs.unhandled) return true
  return age >= warmUpMs.handled && handlingOf(proc, target.pid, signal) !== 'default'
}
