import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'

/** A process according to `/proc/<pid>/stat`; field numbers are those of proc_pid_stat(5). */
export interface Process {
  pid: number
  /** The kernel cuts it at 15 bytes. */
  comm: string
  state: string
  /** 0 if the parent is outside this pid namespace. */
  ppid: number
  threads: number
  /** Ticks since boot: together with the pid, it identifies a process even after the pid is reused. */
  start: number
}

/** A process according to `/proc/<pid>/status`. */
export interface Status {
  /** Real, effective, saved. */
  uids: [number, number, number]
  /** Sets of signals, bit n-1 for signal n; absent if the kernel does not show them (gVisor). */
  caught?: bigint
  ignored?: bigint
  blocked?: bigint
  /** The effective ones, bit n for capability n (capabilities(7)). */
  capabilities?: bigint
}

/** Where the kubelet put a container's termination log. */
export interface Place {
  /** The file system's, `<major>:<minor>`. */
  device: string
  /** The kubelet's pods folder within that file system. */
  folder: string
  podUid: string
  container: string
  /** Another one after every restart of the container. */
  instance: string
}

/** A file's text, `gone` if its process has ended, or `refused` if the kernel hides it (hidepid, a security module). */
type Text = { text: string } | 'gone' | 'refused'

/** A procfs, read at each call. Processes that end meanwhile are left out. */
export interface ProcFolder {
  /**
   * All processes without their threads, or only those whose parent is outside this pid namespace; `hidden` if any was
   * refused. Yields to other work in between: there may be thousands, and each takes the kernel about 10 us.
   */
  list(which: 'all' | 'parentless'): Promise<{ processes: Process[]; hidden: boolean }>
  stat(pid: number | 'self'): Process | undefined
  status(pid: number | 'self'): Status | undefined
  /**
   * Where the termination log of a process' container is, `none` if it has none.
   * @param own the sidecar's place: only places of the same pod count, on the same device and in the same folder
   */
  place(pid: number | 'self', own?: Place): Place | 'none' | 'gone' | 'refused'
  /** The first argument as the process shows it; empty for a kernel thread or a zombie. */
  argv0(pid: number): string
  /** Milliseconds since boot, if it is readable. */
  uptime(): number | undefined
}

/** Processes read between two turns of the event loop, which takes a few milliseconds. */
const batch = 256

/** Ticks are 10 ms for user space, whatever the kernel's own timer. */
const ticksPerSecond = 100

/** True if only an entry in the process table is left. A leader that ended before its threads also shows as a zombie, but lives. */
export const isDead = ({ state, threads }: Process): boolean => 'ZXx'.includes(state) && threads <= 1

/** Checks only the text, which is cheap: state and parent follow the name. */
const isParentless = (stat: string): boolean => stat.startsWith(' 0 ', stat.lastIndexOf(')') + 3)

/** The fields after the name: state and parent, and as fields 20 and 22 the number of threads and the start. */
const afterName = /\) (\S) (\d+) (?:\S+ ){15}(\d+) \S+ (\d+) /y

/** @returns undefined for a text that is not a complete line of `stat`, as if its process ended during the read */
export function parseStat(text: string): Process | undefined {
  // The name may hold spaces, parentheses and line ends; what follows it is numbers only.
  const open = text.indexOf('(')
  afterName.lastIndex = text.lastIndexOf(')')
  const [, state, ppid, threads, start] = afterName.exec(text) ?? []
  const pid = Number.parseInt(text)
  if (open < 0 || Number.isNaN(pid) || state === undefined) return undefined
  const comm = text.slice(open + 1, text.lastIndexOf(')'))
  return { pid, comm, state, ppid: Number(ppid), threads: Number(threads), start: Number(start) }
}

export function parseStatus(text: string): Status | undefined {
  const uids = /^Uid:\t(\d+)\t(\d+)\t(\d+)/m.exec(text)?.slice(1).map(Number)
  if (uids === undefined) return undefined
  const status: Status = { uids: uids as Status['uids'] }
  const masks = { caught: 'SigCgt', ignored: 'SigIgn', blocked: 'SigBlk', capabilities: 'CapEff' } as const
  for (const [name, label] of Object.entries(masks)) {
    const mask = new RegExp(`^${label}:\t([0-9a-f]+)$`, 'm').exec(text)?.[1]
    if (mask !== undefined) status[name as keyof typeof masks] = BigInt(`0x${mask}`)
  }
  return status
}

/**
 * The kubelet mounts `<its pods folder>/<pod uid>/containers/<container>/<random>` at the container's
 * `terminationMessagePath`: the fourth field of mountinfo, the root of the mount within its file system, shows it
 * (proc_pid_mountinfo(5)). The pods folder may be a file system of its own, and the file may have been deleted since.
 */
const placeRow = /^\S+ \S+ (\S+) ((?:\S*\/pods)?)\/([^/ ]+)\/containers\/([^/ ]+)\/([^/ ]+)(?:\/\/deleted)? /gm

/**
 * The place that a `mountinfo` shows. A container that may mount, if only in a user namespace of its own, can add rows with
 * a root of its choice within its own file systems: a tmpfs (another device) or a volume of the pod (another folder). It
 * cannot add one of the kubelet's folder itself, which only the node's root reaches. So with `own` the device, the folder
 * and the pod must be the same, and a process that shows two containers even so is in neither.
 *
 * Of the sidecar itself the last row counts: mounts of an outer container, if the node itself is one, come before.
 */
export function parsePlace(mountinfo: string, own?: Place): Place | 'none' {
  const places: Place[] = []
  for (const [, device = '', folder = '', podUid = '', container = '', instance = ''] of mountinfo.matchAll(placeRow)) {
    const place = { device, folder, podUid, container, instance }
    if (own === undefined || isBeside(place, own)) places.push(place)
  }
  const last = places.at(-1)
  if (last === undefined) return 'none'
  const isOne = places.every(({ container, instance }) => container === last.container && instance === last.instance)
  return own === undefined || isOne ? last : 'none'
}

const isBeside = (a: Place, b: Place): boolean =>
  a.device === b.device && a.folder === b.folder && a.podUid === b.podUid

const isRefusal = (error: unknown): boolean => ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')

/** The maximum number of bytes read from a file: a process decides how many mounts and arguments it shows. */
const mostText = 1024 * 1024
/** Its pages are used only as far as a file fills them. */
const buffer = Buffer.allocUnsafeSlow(mostText)

/** Synchronous: the kernel makes these files up from memory, and a call to another thread costs more than the read. */
function read(path: string): Text {
  try {
    const file = openSync(path, 'r')
    try {
      let length = 0
      for (let more = 1; more > 0 && length < mostText; length += more) {
        more = readSync(file, buffer, length, mostText - length, null)
      }
      return { text: buffer.toString('utf8', 0, length) }
    } finally {
      closeSync(file)
    }
  } catch (error) {
    return isRefusal(error) ? 'refused' : 'gone'
  }
}

export function createProcFolder(folder = '/proc'): ProcFolder {
  const file = <T>(path: string, parse: (text: string) => T): T | 'gone' | 'refused' => {
    const text = read(`${folder}/${path}`)
    return typeof text === 'string' ? text : parse(text.text)
  }
  const present = <T>(value: T | 'gone' | 'refused' | undefined): T | undefined =>
    value === 'gone' || value === 'refused' ? undefined : value
  return {
    async list(which) {
      let names: string[]
      try {
        names = readdirSync(folder)
      } catch {
        return { processes: [], hidden: true }
      }
      const processes: Process[] = []
      let hidden = false
      for (const [at, pid] of names.filter((name) => /^\d+$/.test(name)).entries()) {
        if (at % batch === batch - 1) await setImmediate()
        const stat = read(`${folder}/${pid}/stat`)
        if (stat === 'refused') hidden = true
        if (typeof stat === 'string' || (which === 'parentless' && !isParentless(stat.text))) continue
        const target = parseStat(stat.text)
        if (target !== undefined) processes.push(target)
      }
      return { processes, hidden }
    },
    stat: (pid) => present(file(`${pid}/stat`, parseStat)),
    status: (pid) => present(file(`${pid}/status`, parseStatus)),
    place: (pid, own) => file(`${pid}/mountinfo`, (text) => parsePlace(text, own)),
    argv0: (pid) => present(file(`${pid}/cmdline`, (text) => text.split('\0', 1)[0] ?? '')) ?? '',
    uptime() {
      const seconds = Number.parseFloat(present(file('uptime', String)) ?? '')
      return Number.isNaN(seconds) ? undefined : seconds * 1000
    },
  }
}

/** How long a process has run, in milliseconds; undefined if the kernel's uptime and its start times have different clocks. */
export function ageOf(proc: ProcFolder, target: Process, uptime = proc.uptime()): number | undefined {
  if (uptime === undefined) return undefined
  const age = uptime - (target.start * 1000) / ticksPerSecond
  return age < -1000 ? undefined : Math.max(age, 0)
}
