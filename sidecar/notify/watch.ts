import type { SignalTarget } from '../../shared/settings.ts'
import type { Timing } from './channel.ts'
import { ageOf, type ProcFolder, type Process } from './processes.ts'
import { handlingOf, type Kill, sendSignal } from './signal.ts'
import { called, chooseTarget, type Choice, type Entry, isLive, isSame } from './target.ts'

/** Whether the signal could be sent, found out with signal 0 long before there is one to send. */
export interface PermissionReport {
  outcome: 'permitted' | 'not-permitted' | 'no-such-process' | 'not-identifiable'
  detail: string
  /** Milliseconds since 1970. */
  at: number
}

/** The process that the signal goes to, or one of several (`signal-process`). */
export interface TargetProcess {
  container: string
  pid: number
  name: string
  /** Its real user id, where it can be read. */
  uid?: number
  /** When it started, milliseconds since 1970, where it can be told. */
  since?: number
}

export interface Watch {
  /** For a signal that is to be sent now. */
  choose: () => Promise<Choice>
  permission: () => PermissionReport | undefined
  targets: () => TargetProcess[]
  stop: () => void
}

export interface WatchOptions extends Timing {
  target: SignalTarget
  proc: ProcFolder
  kill: Kill
  /** @param isWell whether nothing needs to be mended */
  onPermission: (report: PermissionReport, isWell: boolean) => void
}

const interval = { searching: 1_000, watching: 2_000 }
/** By then a program has installed the handlers it has. */
const settled = 10_000

/**
 * Keeps an eye on the target, from now on: which process it is and whether it may be signalled. While it lives that costs
 * a few small reads each time; all processes are looked at only while it is not there.
 */
export function createWatch(options: WatchOptions): Watch {
  const { target, proc, kill, now, setTimer, onPermission } = options
  let entry: Entry | undefined
  let found: { process: Process; since?: number }[] = []
  let permission: PermissionReport | undefined
  let choosing: Promise<Choice> | undefined
  let cancel: (() => void) | undefined = setTimer(() => void tick(), 0)

  /** Who asks while it looks gets what it finds: one look at all processes is enough. */
  const choose = (): Promise<Choice> => (choosing ??= chooseAnew().finally(() => (choosing = undefined)))

  async function chooseAnew(): Promise<Choice> {
    const choice = kept() ?? (await chooseTarget(proc, target, entry))
    if ('outcome' in choice) {
      found = []
      return choice
    }
    entry = choice.entry
    found = choice.processes.map(dated)
    return choice
  }

  /** A container has one entry process at a time; of a name there may be more by now. */
  function kept(): Choice | undefined {
    if (target.process !== undefined || entry === undefined) return undefined
    const process = present(entry.process)
    return process && { processes: [process], entry }
  }

  function dated(process: Process): { process: Process; since?: number } {
    const known = found.find((earlier) => isSame(earlier.process, process))
    if (known !== undefined) return { ...known, process }
    const age = ageOf(proc, process)
    return age === undefined ? { process } : { process, since: Math.round(now() - age) }
  }

  /** As it is now: a shell that starts the app may have become it. */
  function present(process: Process): Process | undefined {
    const at = proc.stat(process.pid)
    return at !== undefined && isSame(at, process) && isLive(at) ? at : undefined
  }

  /** One that was chosen by its name is chosen anew when it has another. */
  function isThere({ process }: { process: Process }): boolean {
    const at = present(process)
    return at !== undefined && (target.process === undefined || at.comm === process.comm)
  }

  async function look(): Promise<Omit<PermissionReport, 'at'> & { isMisnamed?: boolean }> {
    if (found.length === 0 || !found.every(isThere)) {
      const choice = await choose()
      if ('outcome' in choice) return choice
    }
    const processes = found.map(({ process }) => process)
    const { outcome, detail } = sendSignal(proc, processes, 0, kill)
    if (outcome !== 'delivered') return { outcome, detail }
    return { outcome: 'permitted', detail: `${detail}${unhandled(processes)}` }
  }

  /** A word early on what the signal would do, where the app has had the time to listen and does not. */
  function unhandled(processes: Process[]): string {
    for (const process of processes) {
      if ((ageOf(proc, process) ?? 0) < settled) continue
      const handling = handlingOf(proc, process.pid, target.name)
      if (handling === 'ignored') return `; ${called(process)} ignores ${target.name}`
      if (handling === 'default' && reloads.has(target.name))
        return `; ${called(process)} has no handler for ${target.name}, which would end it`
    }
    return ''
  }

  async function tick(): Promise<void> {
    const { outcome, detail, isMisnamed } = await look().catch(unlooked)
    if (cancel === undefined) return
    cancel = setTimer(() => void tick(), found.length === 0 ? interval.searching : interval.watching)
    if (outcome === permission?.outcome && detail === permission.detail) return
    permission = { outcome, detail, at: now() }
    onPermission(permission, outcome === 'permitted' || (outcome === 'no-such-process' && isMisnamed !== true))
  }

  return {
    choose,
    permission: () => permission,
    targets: () => found.map(({ process, since }) => described(proc, target.container, process, since)),
    stop() {
      cancel?.()
      cancel = undefined
    },
  }
}

/** Those that a server is meant to survive; the others end it, which is what an app that reads once is sent them for. */
const reloads: ReadonlySet<string> = new Set(['SIGHUP', 'SIGUSR1', 'SIGUSR2'])

/** Whatever went wrong in a look, the next one follows. */
const unlooked = ({ message }: Error) => ({ outcome: 'not-identifiable', detail: message, isMisnamed: false }) as const

/** Its name as of now: a shell that starts the app may have become it since. */
function described(proc: ProcFolder, container: string, process: Process, since?: number): TargetProcess {
  const { pid, comm } = proc.stat(process.pid) ?? process
  const uid = proc.status(pid)?.uids[0]
  return { container, pid, name: comm, ...(uid !== undefined && { uid }), ...(since !== undefined && { since }) }
}
