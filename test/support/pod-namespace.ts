/**
 * What a kubelet gives the containers of a pod with `shareProcessNamespace`, on a bare Linux: one pid namespace with a
 * pause process as pid 1, and for each container a mount namespace with its termination log mounted, whose row in
 * mountinfo has the root `/.../pods/<pod uid>/containers/<name>/<random>`. Nothing else is separated: containers run on
 * this machine's files and network.
 *
 * It needs util-linux (unshare, nsenter, mount, setpriv), and to be root or on a kernel that lets everyone make user
 * namespaces; there every process is user 0 of the namespace. No process outlives the caller: the pause process ends with
 * it and takes the rest along.
 */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { Readable } from 'node:stream'

export interface ContainerSpec {
  name: string
  command: string[]
  /** Replaces the environment; default: this process's. */
  env?: NodeJS.ProcessEnv
  cwd?: string
  /**
   * Applies if {@link PodNamespace.users} is `any`; otherwise every container runs as the user who created it.
   */
  uid?: number
  gid?: number
  /** Folders and files of this machine; missing mount points are created for this container only. */
  binds?: { source: string; target: string; readOnly?: boolean }[]
  /** Of the container's own /proc, which shows everything by default (proc(5)). */
  hidepid?: 1 | 2
  /** Default `/dev/termination-log`. */
  terminationMessagePath?: string
  /** Of the container's process: standard input, output, error. Default: nothing, and this process's output and error. */
  stdio?: ['pipe' | 'ignore', 'pipe' | 'ignore' | 'inherit', 'pipe' | 'ignore' | 'inherit']
}

export interface Container {
  name: string
  /** The PID in the pod's namespace. */
  pid: number
  /** Its streams; the process is an intermediary outside of the namespace, so do not signal it. */
  process: ChildProcess
  /** The container's termination log, as the kubelet would read it. */
  terminationLog: string
  /** Signals the entry process with the rights of the caller. */
  kill(signal: NodeJS.Signals): Promise<void>
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

export interface PodNamespace {
  uid: string
  /** Contains the kubelet's folder, `kubelet`; removed with the namespace. */
  folder: string
  users: 'any' | 'one'
  /** Starts a container; a name that was started before is a restart. Resolves just before its command is executed. */
  start(spec: ContainerSpec): Promise<Container>
  /** Starts one more process without a parent in a container, like `kubectl exec`. */
  exec(container: Container, command: string[], stdio?: StdioOptions): ChildProcess
  close(): Promise<void>
}

/**
 * `mount_point PATH file|folder` makes one where there is none, without touching the machine's files: a tmpfs with
 * everything of the nearest folder that exists is put over that folder. `$scratch` is where it is put together.
 */
const mountPoint = `
mount_point() {
  [ ! -e "$1" ] || return 0
  parent=$(dirname "$1")
  while [ ! -d "$parent" ]; do parent=$(dirname "$parent"); done
  parent=$(readlink -f "$parent")
  [ "$parent" != / ] || { echo "cannot make the mount point $1 directly under /" >&2; return 1; }
  mount -n -t tmpfs tmpfs "$scratch"
  for entry in "$parent"/* "$parent"/.[!.]*; do
    made=$scratch/\${entry##*/}
    if [ -L "$entry" ]; then cp -P "$entry" "$made"
    elif [ -d "$entry" ]; then mkdir "$made"; mount -n -o rbind "$entry" "$made"
    elif [ -e "$entry" ]; then : >"$made"; mount -n -o bind "$entry" "$made"
    fi
  done
  chmod 755 "$scratch"
  mount -n -o move "$scratch" "$parent"
  mkdir -p "$(dirname "$1")"
  if [ "$2" = file ]; then : >"$1"; else mkdir "$1"; fi
}
`

/** Prints its PID outside of the namespace, then waits for the end of its input. Ignoring SIGCHLD prevents zombies. */
const pauseScript = `set -eu
scratch=$1
${mountPoint}
read -r pid rest </proc/self/stat
mount -n -t proc proc /proc
mount_point /dev/termination-log file
echo "$pid"
trap '' CHLD
exec cat >/dev/null
`

/** Mounts, prints its PID inside of the namespace, and becomes the container's command. */
const containerScript = `set -eu
scratch=$1 folder=$2 user=$3 hidepid=$4; shift 4
${mountPoint}
[ -z "$hidepid" ] || mount -n -t proc -o "hidepid=$hidepid" proc /proc
while [ "$1" != -- ]; do
  kind=file; [ ! -d "$1" ] || kind=folder
  mount_point "$2" "$kind"
  mount -n -o rbind "$1" "$2"
  [ "$3" = rw ] || mount -n -o remount,bind,ro "$2" || mount -n -o remount,bind,ro,nosuid,nodev "$2"
  shift 3
done
shift
cd "$folder"
echo "$$" >&3
exec 3>&-
[ -z "$user" ] || exec setpriv --reuid="\${user%:*}" --regid="\${user#*:}" --clear-groups -- "$@"
exec "$@"
`

/** @returns the namespace, or why this machine cannot create one */
export async function startPodNamespace(): Promise<PodNamespace | { unavailable: string }> {
  if (process.platform !== 'linux')
    return { unavailable: `pid namespaces are Linux's, and this is ${process.platform}` }
  const folder = await mkdtemp(join(tmpdir(), 'pod-'))
  await mkdir(join(folder, 'scratch'))
  const problems: string[] = []
  for (const users of process.geteuid?.() === 0 ? (['any', 'one'] as const) : (['one'] as const)) {
    const pause = await startPause(folder, users)
    if (typeof pause === 'object') return podNamespace(folder, users, pause)
    problems.push(pause)
  }
  await rm(folder, { recursive: true })
  return { unavailable: `no pod namespace: ${problems.join('; ')}${await restrictions()}` }
}

interface Pause {
  process: ChildProcess
  /** The PID outside of the namespace. */
  pid: number
}

async function startPause(folder: string, users: PodNamespace['users']): Promise<Pause | string> {
  const own = users === 'one' ? ['--user', '--map-root-user'] : []
  const flags = [...own, '--mount', '--pid', '--fork', '--kill-child']
  const scratch = join(folder, 'scratch')
  const pause = spawn('unshare', [...flags, 'sh', '-c', pauseScript, 'sh', scratch], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  pause.stdin.on('error', () => {})
  const failed = new Promise<string>((resolve) => pause.on('error', (error) => resolve(error.message)))
  const pid = Number(await Promise.race([firstLine(pause.stdout), failed]))
  if (pid > 0) return { process: pause, pid }
  return Promise.race([text(pause.stderr), failed]).then((reason) => `unshare ${flags.join(' ')}: ${reason.trim()}`)
}

/** Empty if the stream ends first; the intermediary keeps it open, so its end means nothing more. */
async function firstLine(stream: Readable): Promise<string> {
  for await (const line of createInterface(stream)) return line
  return ''
}

/** The setting that forbids it to ordinary users on some distributions. */
async function restrictions(): Promise<string> {
  const switches = {
    'kernel/unprivileged_userns_clone': '0',
    'kernel/apparmor_restrict_unprivileged_userns': '1',
    'user/max_user_namespaces': '0',
  }
  const found = Object.entries(switches).map(async ([name, off]) => {
    const value = await readFile(`/proc/sys/${name}`, 'utf8').catch(() => '')
    return value.trim() === off ? `; ${name.replace('/', '.')} is ${off}` : ''
  })
  return (await Promise.all(found)).join('')
}

function podNamespace(folder: string, users: PodNamespace['users'], pause: Pause): PodNamespace {
  const uid = randomUUID()
  const enter = [
    ...(users === 'one' ? ['--user', '--preserve-credentials'] : []),
    '--pid',
    '--target',
    String(pause.pid),
  ]

  async function start(spec: ContainerSpec): Promise<Container> {
    const { name, command, env, cwd = process.cwd(), stdio = ['ignore', 'inherit', 'inherit'] } = spec
    const terminationLog = join(folder, 'kubelet/pods', uid, 'containers', name, randomBytes(4).toString('hex'))
    await mkdir(join(terminationLog, '..'), { recursive: true })
    await writeFile(terminationLog, '')
    await chmod(terminationLog, 0o666)
    const log = {
      source: terminationLog,
      target: spec.terminationMessagePath ?? '/dev/termination-log',
      readOnly: false,
    }
    const binds = [log, ...(spec.binds ?? [])].flatMap((bind) => [
      bind.source,
      bind.target,
      bind.readOnly ? 'ro' : 'rw',
    ])
    const user = spec.uid === undefined || users === 'one' ? '' : `${spec.uid}:${spec.gid ?? spec.uid}`
    const script = [
      'sh',
      '-c',
      containerScript,
      'sh',
      join(folder, 'scratch'),
      cwd,
      user,
      String(spec.hidepid ?? ''),
      ...binds,
      '--',
      ...command,
    ]
    const container = spawn('nsenter', [...enter, '--mount', 'unshare', '--mount', ...script], {
      stdio: [...stdio, 'pipe'],
      ...(env !== undefined && { env }),
    })
    const exited = new Promise<Awaited<Container['exited']>>((resolve) => {
      container.on('exit', (code, signal) => resolve({ code, signal }))
      container.on('error', () => resolve({ code: 127, signal: null }))
    })
    const pid = Number(await firstLine(container.stdio[3] as Readable))
    if (!(pid > 0)) throw new Error(`container "${name}" did not start: ${JSON.stringify(await exited)}`)
    return { name, pid, process: container, terminationLog, exited, kill: (signal) => kill(pid, signal) }
  }

  /** Signals by the PID inside the namespace: a process outside does not know which of its PIDs that is. */
  async function kill(pid: number, signal: NodeJS.Signals): Promise<void> {
    const sender = spawn('nsenter', [...enter, '--mount', 'kill', '-s', signal.slice(3), String(pid)], {
      stdio: 'inherit',
    })
    await once(sender, 'exit')
  }

  return {
    uid,
    folder,
    users,
    start,
    exec(container, command, stdio = 'ignore') {
      const mounts = `--mount=/proc/${pause.pid}/root/proc/${container.pid}/ns/mnt`
      return spawn('nsenter', [...enter, mounts, ...command], { stdio })
    },
    async close() {
      const ended =
        pause.process.exitCode === null && pause.process.signalCode === null ? once(pause.process, 'exit') : undefined
      pause.process.stdin?.end()
      await ended
      await rm(folder, { recursive: true })
    },
  }
}
