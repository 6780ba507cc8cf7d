import type { SignalTarget } from '../../../shared/settings/codec.ts'
import { startTimer, type Clock } from '../../../shared/clock.ts'
import { ageOf, type ProcFolder, type Process } from './procfs.ts'
import { handlingOf, type Kill, sendSignal } from './send.ts'
import { nameOf, chooseTarget, type Choice, type Entry, isLive, isSame } from './target.ts'

/** Whether the signal can be sent, tested with signal 0 before there is one to send. */
export interface PermissionReport {
  outcome: 'permitted' | 'not-permitted' | 'no-such-process' | 'not-identifiable'
  detail: string
  /** Whether the app ignores the signal, or has no handler for one that it is meant to survive. */
  unhandled?: true
  /** Milliseconds since 1970. */
  at: number
}

/** The process that the signal goes to, or one of several (`signal-process`). */
export interface TargetProcess {
  container: string
  pid: number
  name: string
  /** Its real user ID, if it can be read. */
  uid?: number
  /** When it started in milliseconds since 1970, if it is known. */
  since?: number
}

export interface TargetWatch {
  /** Chooses the processes for a signal to be sent now. */
  choose: () => Promise<Choice>
  permission: () => PermissionReport | undefined
  targets: () => TargetProcess[]
  /** The process that was found last, which may have ended. */
  latest: () => TargetProcess | undefined
  /** Whether to search often, so that a process is found that ends soon. */
  watchClosely: (isClose: boolean) => void
  stop: () => void
}

export interface TargetWatchOptions {
  clock: Pick<Clock, 'now' | 'wait'>
  signal: SignalTarget
  proc: ProcFolder
  kill: Kill
  /** @param isWell whether nothing has to be fixed */
  onPermission: (report: PermissionReport, isWell: boolean) => void
}

const intervalMs = { closely: 200, searching: 1_000, watching: 2_000 }
/** After this time, a program has installed its handlers. */
const warmUpMs = 10_000

/**
 * Watches the target: which process it is and whether it can be signaled. While it runs, each check costs a few small reads;
 * all processes are searched only while it is not running.
 */
export function createTargetWatch(options: TargetWatchOptions): TargetWatch {
  const { signal, proc, kill, clock, onPermission } = options
  let entry: Entry | undefined
  let found: { target: Process; since?: number }[] = []
  let latest: { target: Process; since?: number } | undefined
  let isClose = false
  let permission: PermissionReport | undefined
  let choosing: Promise<Choice> | undefined
  let cancel: (() => void) | undefined = startTimer(clock, 0, () => void checkAgain())

  /** Concurrent callers share one search of all processes. */
  const choose = (): Promise<Choice> => (choosing ??= chooseAgain().finally(() => (choosing = undefined)))

  async function chooseAgain(): Promise<Choice> {
    const choice = kept() ?? (await chooseTarget(proc, signal, entry))
    if ('outcome' in choice) {
      found = []
      return choice
    }
    entry = choice.entry
    found = choice.processes.map(dated)
    latest = found.at(-1)
    return choice
  }

  /** A container has one entry process at a time; more processes of a name may have started. */
  function kept(): Choice | undefined {
    if (signal.process !== undefined || entry === undefined) return undefined
    const target = present(entry.target)
    return target && { processes: [target], entry }
  }

  function dated(target: Process): { target: Process; since?: number } {
    const known = found.find((earlier) => isSame(earlier.target, target))
    if (known !== undefined) return { ...known, target }
    const age = ageOf(proc, target)
    return age === undefined ? { target } : { target, since: Math.round(clock.now() - age) }
  }

  /** Its current state: a shell that starts the app may have become the app by exec. */
  function present(target: Process): Process | undefined {
    const at = proc.stat(target.pid)
    return at !== undefined && isSame(at, target) && isLive(at) ? at : undefined
  }

  /** A process that was chosen by its name is chosen again if its name has changed. */
  function isThere({ target }: { target: Process }): boolean {
    const at = present(target)
    return at !== undefined && (signal.process === undefined || at.comm === target.comm)
  }

  async function checkTarget(): Promise<Omit<PermissionReport, 'at'> & { isMisnamed?: boolean }> {
    if (found.length === 0 || !found.every(isThere)) {
      const choice = await choose()
      if ('outcome' in choice) return choice
    }
    const processes = found.map(({ target }) => target)
    const { outcome, detail } = sendSignal(proc, processes, 0, kill)
    if (outcome !== 'delivered') return { outcome, detail }
    const warning = unhandled(processes)
    return { outcome: 'permitted', detail: `${detail}${warning}`, ...(warning !== '' && { unhandled: true as const }) }
  }

  /** An early warning about what the signal would do, if the app has had the time to install a handler and has none. */
  function unhandled(processes: Process[]): string {
    for (const target of processes) {
      if ((ageOf(proc, target) ?? 0) < warmUpMs) continue
      const handling = handlingOf(proc, target.pid, signal.name)
      if (handling === 'ignored') return `; ${nameOf(target)} ignores ${signal.name}`
      if (handling === 'default' && reloadSignals.has(signal.name))
        return `; ${nameOf(target)} has no handler for ${signal.name}, so the signal would terminate it`
    }
    return ''
  }

  async function checkAgain(): Promise<void> {
    const { isMisnamed, ...checked } = await checkTarget().catch(checkFailed)
    const { outcome, detail } = checked
    if (cancel === undefined) return
    const searching = isClose ? intervalMs.closely : intervalMs.searching
    cancel = startTimer(clock, found.length === 0 ? searching : intervalMs.watching, () => void checkAgain())
    if (outcome === permission?.outcome && detail === permission.detail) return
    permission = { ...checked, at: clock.now() }
    onPermission(permission, outcome === 'permitted' || (outcome === 'no-such-process' && isMisnamed !== true))
  }

  return {
    choose,
    permission: () => permission,
    targets: () => found.filter(isThere).map(({ target, since }) => described(proc, signal.container, target, since)),
    latest: () => latest && described(proc, signal.container, latest.target, latest.since),
    watchClosely: (isOn) => void (isClose = isOn),
    stop() {
      cancel?.()
      cancel = undefined
    },
  }
}

/** Signals that a server is meant to survive; the others terminate it, which is their purpose for an app that reads its files once. */
const reloadSignals: ReadonlySet<string> = new Set(['SIGHUP', 'SIGUSR1', 'SIGUSR2'])

/** A failed check is a result too: the next one follows. */
const checkFailed = ({ message }: Error) =>
  ({ outcome: 'not-identifiable', detail: message, isMisnamed: false }) as const

/** The process with its current name: a shell that starts the app may have become the app by exec. */
function described(proc: ProcFolder, container: string, target: Process, since?: number): TargetProcess {
  const { pid, comm } = proc.stat(target.pid) ?? target
  const uid = proc.status(pid)?.uids[0]
  return { container, pid, name: comm, ...(uid !== undefined && { uid }), ...(since !== undefined && { since }) }
}
