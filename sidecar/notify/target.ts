import { annotationPrefix } from '../../shared/names.ts'
import type { SignalTarget } from '../../shared/settings.ts'
import { ageOf, isDead, type Place, type ProcFolder, type Process } from './processes.ts'

/** The entry process of one run of a container. */
export interface Entry {
  process: Process
  instance: string
}

/** What to signal, or why nothing is. */
export type Choice = { processes: Process[]; entry: Entry } | NoTarget

interface NoTarget {
  outcome: 'no-such-process' | 'not-identifiable'
  detail: string
  /** Nothing has the name that was asked for, and the container has run for long enough to have it. */
  isMisnamed?: boolean
}

/** Milliseconds: from when on a process is named in messages, and from when on one that was asked for is missed. */
const lasting = 10_000
const started = 30_000

const missing = (detail: string): Choice => ({ outcome: 'no-such-process', detail })
const unidentifiable = (detail: string): Choice => ({ outcome: 'not-identifiable', detail })

/** What messages call a process. */
export const called = ({ pid, comm }: Process): string => `process ${pid} (${comm})`

/** With the start time, since a pid is given again. */
export const isSame = (a: Process, b: Process): boolean => a.pid === b.pid && a.start === b.start

/** A runtime's own process in a container that it still sets up: a signal would keep the container from starting. */
const isRuntime = ({ comm }: Process): boolean => /^(?:(?:runc|youki):\[|crun$)/.test(comm)

/** Runs the app's code. */
export const isLive = (process: Process): boolean => !isDead(process) && !isRuntime(process)

/**
 * Chooses what to signal in a container: its entry process, or the processes of a name, without those whose parent has
 * that name too (of a server and its workers, the server). Never a process of this container, the pause process (pid 1) or
 * one whose container cannot be told. What `kubectl exec` and exec probes started is not the app.
 * @param last the entry found before: once it has ended, nothing else of that run of the container is taken for it
 */
export async function chooseTarget(
  proc: ProcFolder,
  { container, process: name }: Omit<SignalTarget, 'name'>,
  last?: Entry,
): Promise<Choice> {
  const own = proc.place('self')
  if (typeof own === 'string') return unidentifiable('this container has no termination log mounted, by which containers are told apart') // prettier-ignore
  if (own.container === container) return unidentifiable('the sidecar does not signal itself')
  if (!isShared(proc, own)) return unidentifiable('the pod does not share its process namespace: set shareProcessNamespace: true') // prettier-ignore

  const { processes, hidden } = await proc.list(name === undefined ? 'parentless' : 'all')
  const { entry, unplaced } = findEntry(proc, processes, own, container)
  if (entry === undefined) {
    if (hidden || !processes.some(({ pid }) => pid === 1))
      return unidentifiable(`/proc hides processes (hidepid), so container "${container}" cannot be looked for`)
    return unplaced.length > 0
      ? unidentifiable(
          `no termination log is mounted for ${unplaced.map(called).join(', ')}, so the container is unknown`,
        )
      : missing(`container "${container}" does not run`)
  }
  if (last?.instance === entry.instance && !isSame(last.process, entry.process))
    return missing(`container "${container}" ends: its ${called(last.process)} is gone`)
  if (name === undefined) return { processes: [entry.process], entry }
  return findNamed(proc, processes, entry, { ...own, container, instance: entry.instance }, name)
}

/** Otherwise pid 1 is this container's own entry process, and no other container can be seen. */
function isShared(proc: ProcFolder, own: Place): boolean {
  const first = proc.place(1, own)
  return proc.stat('self')?.pid !== 1 && !(typeof first === 'object' && isAt(first, own))
}

const isAt = (a: Place, b: Omit<Place, 'instance'>): boolean => a.podUid === b.podUid && a.container === b.container

/**
 * The parent of a container's entry process is outside of the pid namespace, and so is that of what `kubectl exec`
 * started: the entry is the oldest. Of two runs of a container the later counts, should the earlier still be ending.
 */
function findEntry(proc: ProcFolder, processes: Process[], own: Place, container: string) {
  const runs = new Map<string, Process>()
  const unplaced: Process[] = []
  for (const process of processes) {
    if (process.ppid !== 0 || process.pid === 1 || !isLive(process)) continue
    const place = proc.place(process.pid, own)
    // One that shows another pod is known not to be in this one.
    if (place === 'none' && proc.place(process.pid) === 'none') unplaced.push(process)
    if (typeof place === 'string' || place.container !== container) continue
    const oldest = runs.get(place.instance)
    if (oldest === undefined || isOlder(process, oldest)) runs.set(place.instance, process)
  }
  let entry: Entry | undefined
  for (const [instance, process] of runs) {
    if (entry === undefined || isOlder(entry.process, process)) entry = { process, instance }
  }
  return { entry, unplaced }
}

const isOlder = (a: Process, b: Process): boolean => a.start < b.start || (a.start === b.start && a.pid < b.pid)

/**
 * The app's processes are the entry's descendants and those that lost their parent to the pause process. Their container
 * is their parent's, even where none is shown: a server that has changed its root folder shows no mounts outside of it.
 */
function findNamed(proc: ProcFolder, processes: Process[], entry: Entry, place: Place, name: string): Choice {
  const byPid = new Map(processes.map((process) => [process.pid, process]))
  const parentOf = ({ ppid }: Process): Process | undefined => (ppid === 1 ? undefined : byPid.get(ppid))
  const roots = new Map<number, boolean>([[entry.process.pid, true]])
  const isApp = (process: Process): boolean => {
    const known = roots.get(process.pid)
    if (known !== undefined) return known
    roots.set(process.pid, false)
    const parent = parentOf(process)
    const found = parent !== undefined ? isApp(parent) : process.ppid === 1 && isIn(process)
    roots.set(process.pid, found)
    return found
  }
  const isIn = ({ pid }: Process): boolean => {
    const found = proc.place(pid, place)
    return typeof found === 'object' && isAt(found, place) && found.instance === place.instance
  }
  const known = new Map<Process, boolean>()
  const isNamed = (process: Process): boolean => {
    let is = known.get(process)
    if (is === undefined) {
      is = isLive(process) && (process.comm === name || baseName(proc.argv0(process.pid)) === name)
      known.set(process, is)
    }
    return is
  }
  // The parent first: what its workers are called then need not be read, and there may be thousands.
  const isLed = (parent: Process | undefined): boolean => parent !== undefined && isNamed(parent)
  const chosen = processes.filter((process) => isApp(process) && !isLed(parentOf(process)) && isNamed(process) && !isElsewhere(proc, process, place)) // prettier-ignore
  if (chosen.length > 0) return { processes: chosen, entry }
  // What comes and goes would make it another message each time.
  const uptime = proc.uptime()
  const isShown = (process: Process): boolean => isApp(process) && isLive(process) && (ageOf(proc, process, uptime) ?? lasting) >= lasting // prettier-ignore
  const names = [...new Set([entry.process, ...processes.filter(isShown)].map(({ comm }) => comm))]
    .slice(0, 10)
    .join(', ')
  const detail = `no process "${name}" runs in container "${place.container}"; these do: ${names}`
  if ((ageOf(proc, entry.process, uptime) ?? started) < started) return missing(detail)
  const advice = `it has run for ${started / 1000} s: check the annotation ${annotationPrefix}signal-process`
  return { outcome: 'no-such-process', detail: `${detail}; ${advice}`, isMisnamed: true }
}

/** A descendant that says of itself that it is in another container, whatever brought it there. */
function isElsewhere(proc: ProcFolder, { pid }: Process, place: Place): boolean {
  const found = proc.place(pid, place)
  return typeof found === 'object' && !isAt(found, place)
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
