import { annotationPrefix } from '../../../shared/names.ts'
import type { SignalTarget } from '../../../shared/settings/codec.ts'
import { ageOf, isDead, type Place, type ProcFolder, type Process } from './procfs.ts'

/** The entry process of one run of a container. */
export interface Entry {
  target: Process
  instance: string
}

/** The processes to signal, or why there are none. */
export type Choice = { processes: Process[]; entry: Entry } | NoTarget

interface NoTarget {
  outcome: 'no-such-process' | 'not-identifiable'
  detail: string
  /** No process has the requested name although the container has run long enough for it to start. */
  isMisnamed?: boolean
}

/** The age from which a process is named in messages, and the age of a container from which a missing process is reported. */
const lastingMs = 10_000
const startedMs = 30_000

const noProcess = (detail: string): Choice => ({ outcome: 'no-such-process', detail })
const unidentifiable = (detail: string): Choice => ({ outcome: 'not-identifiable', detail })

/** A process's name in messages. */
export const nameOf = ({ pid, comm }: Process): string => `process ${pid} (${comm})`

/** Compares the start time too, because pids are reused. */
export const isSame = (a: Process, b: Process): boolean => a.pid === b.pid && a.start === b.start

/** A container runtime's own process while it sets the container up: a signal would prevent the container from starting. */
const isRuntime = ({ comm }: Process): boolean => /^(?:(?:runc|youki):\[|crun$)/.test(comm)

/** True if the process runs the app's code. */
export const isLive = (target: Process): boolean => !isDead(target) && !isRuntime(target)

/**
 * Chooses the processes to signal in a container: its entry process, or the processes of a name, without those whose parent
 * has that name too (of a server and its workers, the server). It never chooses a process of this container, the pause
 * process (pid 1), one whose container is unknown, or one that `kubectl exec` or an exec probe started.
 * @param last the entry found before: once it has ended, no other process of that run of the container replaces it
 */
export async function chooseTarget(
  proc: ProcFolder,
  { container, process: name }: Omit<SignalTarget, 'name'>,
  last?: Entry,
): Promise<Choice> {
  const own = proc.place('self')
  if (typeof own === 'string')
    return unidentifiable('this container has no mounted termination log, which is needed to identify containers')
  if (own.container === container) return unidentifiable('the sidecar cannot signal itself')
  if (!isShared(proc, own))
    return unidentifiable('the pod does not share its process namespace: set shareProcessNamespace: true')

  const { processes, hidden } = await proc.list(name === undefined ? 'parentless' : 'all')
  const { entry, unplaced } = findEntry(proc, processes, own, container)
  if (entry === undefined) {
    if (hidden || !processes.some(({ pid }) => pid === 1))
      return unidentifiable(`/proc hides processes (hidepid), so container "${container}" cannot be found`)
    return unplaced.length > 0
      ? unidentifiable(`${unplaced.map(nameOf).join(', ')} has no mounted termination log, so its container is unknown`)
      : noProcess(`container "${container}" is not running`)
  }
  if (last?.instance === entry.instance && !isSame(last.target, entry.target))
    return noProcess(`container "${container}" is ending: its ${nameOf(last.target)} has ended`)
  if (name === undefined) return { processes: [entry.target], entry }
  return findNamed(proc, processes, entry, { ...own, container, instance: entry.instance }, name)
}

/** True if the pod's containers share a pid namespace. Otherwise, pid 1 is this container's own entry process, and no other container is visible. */
function isShared(proc: ProcFolder, own: Place): boolean {
  const first = proc.place(1, own)
  return proc.stat('self')?.pid !== 1 && !(typeof first === 'object' && isAt(first, own))
}

const isAt = (a: Place, b: Omit<Place, 'instance'>): boolean => a.podUid === b.podUid && a.container === b.container

/**
 * The parent of a container's entry process is outside the pid namespace, as are those of processes that `kubectl exec`
 * started: the entry is the oldest. If an earlier run of the container is still ending, the later run counts.
 */
function findEntry(proc: ProcFolder, processes: Process[], own: Place, container: string) {
  const runs = new Map<string, Process>()
  const unplaced: Process[] = []
  for (const target of processes) {
    if (target.ppid !== 0 || target.pid === 1 || !isLive(target)) continue
    const place = proc.place(target.pid, own)
    // A process that shows another pod is not in this one.
    if (place === 'none' && proc.place(target.pid) === 'none') unplaced.push(target)
    if (typeof place === 'string' || place.container !== container) continue
    const oldest = runs.get(place.instance)
    if (oldest === undefined || isOlder(target, oldest)) runs.set(place.instance, target)
  }
  let entry: Entry | undefined
  for (const [instance, target] of runs) {
    if (entry === undefined || isOlder(entry.target, target)) entry = { target, instance }
  }
  return { entry, unplaced }
}

const isOlder = (a: Process, b: Process): boolean => a.start < b.start || (a.start === b.start && a.pid < b.pid)

/**
 * The app's processes are the entry's descendants and orphans adopted by the pause process. A process is in its parent's
 * container even if it shows none: a server that has changed its root folder shows no mounts outside it.
 */
function findNamed(proc: ProcFolder, processes: Process[], entry: Entry, place: Place, name: string): Choice {
  const byPid = new Map(processes.map((target) => [target.pid, target]))
  const parentOf = ({ ppid }: Process): Process | undefined => (ppid === 1 ? undefined : byPid.get(ppid))
  const roots = new Map<number, boolean>([[entry.target.pid, true]])
  const isApp = (target: Process): boolean => {
    const known = roots.get(target.pid)
    if (known !== undefined) return known
    roots.set(target.pid, false)
    const parent = parentOf(target)
    const found = parent !== undefined ? isApp(parent) : target.ppid === 1 && isIn(target)
    roots.set(target.pid, found)
    return found
  }
  const isIn = ({ pid }: Process): boolean => {
    const found = proc.place(pid, place)
    return typeof found === 'object' && isAt(found, place) && found.instance === place.instance
  }
  const known = new Map<Process, boolean>()
  const isNamed = (target: Process): boolean => {
    let is = known.get(target)
    if (is === undefined) {
      is = isLive(target) && (target.comm === name || baseName(proc.argv0(target.pid)) === name)
      known.set(target, is)
    }
    return is
  }
  // The parent is checked first: then the names of its workers, possibly thousands, need not be read.
  const isLed = (parent: Process | undefined): boolean => parent !== undefined && isNamed(parent)
  const chosen = processes.filter(
    (target) => isApp(target) && !isLed(parentOf(target)) && isNamed(target) && !isElsewhere(proc, target, place),
  )
  if (chosen.length > 0) return { processes: chosen, entry }
  // Short-lived processes would change the message each time.
  const uptime = proc.uptime()
  const isShown = (target: Process): boolean =>
    isApp(target) && isLive(target) && (ageOf(proc, target, uptime) ?? lastingMs) >= lastingMs
  const names = [...new Set([entry.target, ...processes.filter(isShown)].map(({ comm }) => comm))]
    .slice(0, 10)
    .join(', ')
  const detail = `no process "${name}" runs in container "${place.container}", only: ${names}`
  if ((ageOf(proc, entry.target, uptime) ?? startedMs) < startedMs) return noProcess(detail)
  const advice = `the container has run for ${startedMs / 1000} s: check the annotation ${annotationPrefix}signal-process`
  return { outcome: 'no-such-process', detail: `${detail}; ${advice}`, isMisnamed: true }
}

/** True if a descendant shows that it is in another container, however it got there. */
function isElsewhere(proc: ProcFolder, { pid }: Process, place: Place): boolean {
  const found = proc.place(pid, place)
  return typeof found === 'object' && !isAt(found, place)
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
