/** Makes a /proc out of plain files, as a container of a pod with a shared process namespace sees it. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { SignalName } from '../../../../shared/signals.ts'

export interface ProcessSpec {
  pid: number
  comm: string
  /** Default 0, as of a container's entry process. */
  ppid?: number
  /** Default S. */
  state?: string
  threads?: number
  /** In ticks since boot; default 100 for each pid. */
  start?: number
  argv?: string[]
  /** Real, effective and saved; default 1000. */
  uid?: number
  /** Whose termination log is mounted; nothing for none. */
  container?: string
  /** Default: the container's name in hexadecimal digits, as good as the kubelet's random ones. */
  instance?: string
  podUid?: string
  podsFolder?: string
  terminationMessagePath?: string
  caught?: SignalName[]
  ignored?: SignalName[]
  blocked?: SignalName[]
  /** The effective ones, in hexadecimal digits; default none. */
  capabilities?: string
  /** Nothing but `stat` is there, as for one of many that are not examined further. */
  bare?: boolean
  /** The kernel shows that it is there and refuses to tell more. */
  refused?: boolean
}

export const podUid = '76f3415a-7784-4985-8ed4-8ccfbdbe8d60'
export const otherPodUid = '11111111-2222-4333-8444-555555555555'

/** What the kernel lets no process read, not even as root. */
const unreadable = '/proc/sys/vm/drop_caches'

export const sidecar = { pid: 13, comm: 'node', container: 'akv-injector', uid: 65532 } satisfies ProcessSpec
export const pause = { pid: 1, comm: 'pause', uid: 65535 } satisfies ProcessSpec

/** A pod's tree: pause, sidecar and what is given. `self` is the sidecar. */
export function writePod(folder: string, processes: ProcessSpec[], uptime = 100_000): string {
  return writeProcTree(folder, [pause, sidecar, ...processes], { self: sidecar.pid, uptime })
}

/** @param uptime in seconds */
export function writeProcTree(folder: string, processes: ProcessSpec[], { self = 0, uptime = 100_000 } = {}): string {
  mkdirSync(folder, { recursive: true })
  writeUptime(folder, uptime)
  writeFileSync(join(folder, 'version'), 'Linux version 6.1.0\n')
  for (const process of processes) writeProcess(folder, process)
  if (self !== 0) symlinkSync(String(self), join(folder, 'self'))
  return folder
}

/** @param uptime in seconds */
export function writeUptime(folder: string, uptime: number): void {
  writeFileSync(join(folder, 'uptime'), `${uptime.toFixed(2)} 12345.67\n`)
}

/** Writes or rewrites one process. */
export function writeProcess(folder: string, spec: ProcessSpec): void {
  const own = join(folder, String(spec.pid))
  mkdirSync(own, { recursive: true })
  if (spec.bare) return writeFileSync(join(own, 'stat'), statOf(spec))
  const files = { stat: statOf(spec), status: statusOf(spec), mountinfo: mountinfoOf(spec), cmdline: cmdlineOf(spec) }
  for (const [name, text] of Object.entries(files)) {
    if (spec.refused) symlinkSync(unreadable, join(own, name))
    else writeFileSync(join(own, name), text)
  }
}

export function statOf({ pid, comm, ppid = 0, state = 'S', threads = 1, start = pid * 100 }: ProcessSpec): string {
  const counters = '4194560 754 0 0 0 0 1 0 0 20 0'
  const memory = '2322432 348 18446744073709551615 1 1 0 0 0 0 0 4 65538 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0'
  return `${pid} (${comm}) ${state} ${ppid} ${pid} ${pid} 0 -1 ${counters} ${threads} 0 ${start} ${memory}\n`
}

function statusOf({ comm, uid = 1000, threads = 1, capabilities = '0', ...signals }: ProcessSpec): string {
  const mask = (names: SignalName[] = []): string =>
    names
      .reduce((mask, name) => mask | (1n << BigInt(constants.signals[name] - 1)), 0n)
      .toString(16)
      .padStart(16, '0')
  const { blocked, ignored, caught } = signals
  return [
    `Name:\t${comm}`,
    `Uid:\t${uid}\t${uid}\t${uid}\t${uid}`,
    `Gid:\t${uid}\t${uid}\t${uid}\t${uid}`,
    `Threads:\t${threads}`,
    `SigBlk:\t${mask(blocked)}`,
    `SigIgn:\t${mask(ignored)}`,
    `SigCgt:\t${mask(caught)}`,
    `CapEff:\t${capabilities.padStart(16, '0')}`,
    '',
  ].join('\n')
}

const cmdlineOf = ({ comm, state, argv = [comm] }: ProcessSpec): string =>
  state === 'Z' ? '' : argv.map((argument) => `${argument}\0`).join('')

/** The rows of a container as containerd mounts them; of the pod's files the kubelet's. */
export function mountinfoOf(spec: ProcessSpec): string {
  const { container, podsFolder = '/var/lib/kubelet/pods', terminationMessagePath = '/dev/termination-log' } = spec
  const disk = '254:0'
  const type = 'rw,relatime - ext4 /dev/sda1 rw,discard'
  const pod = `${podsFolder}/${spec.podUid ?? podUid}`
  const rows = [
    '99 51 0:58 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/containerd/1/fs,upperdir=/var/lib/containerd/3/fs',
    '100 99 0:60 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw',
    '101 99 0:61 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755',
  ]
  if (container !== undefined) {
    const instance = spec.instance ?? Buffer.from(container).toString('hex').slice(0, 8)
    rows.push(
      `114 99 0:57 / /mnt/secrets ro,relatime - tmpfs tmpfs rw,size=16384k`,
      `115 99 ${disk} ${pod}/etc-hosts /etc/hosts ${type}`,
      `116 101 ${disk} ${pod}/containers/${container}/${instance} ${terminationMessagePath.replaceAll(' ', '\\040')} ${type}`,
      `117 99 ${disk} ${pod}/volumes/kubernetes.io~empty-dir/data /containers/data ${type}`,
      `118 99 ${disk} ${pod}/volume-subpaths/conf/${container}/0 /etc/app.conf ${type}`,
    )
  }
  return rows.map((row) => `${row}\n`).join('')
}
