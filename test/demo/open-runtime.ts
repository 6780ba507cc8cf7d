import { readFileSync } from 'node:fs'
import { startPodNamespace, type PodNamespace } from '../support/pod-namespace.ts'
import { plainRuntime } from './plain-runtime.ts'
import type { Supervisor } from './processes.ts'
import { onMachine, type Runtime } from './runtime.ts'

/** The runtime of the pod's containers, and how the sidecar notifies the app in it. */
export interface Opened {
  runtime: Runtime
  notify: 'signal' | 'url'
  /** For messages. */
  sentence: string
}

/** Opens a pid namespace where this machine gives one, unless a URL is wanted. @throws when a signal is wanted and it gives none */
export async function openRuntime(supervisor: Supervisor, folder: string, wanted?: 'signal' | 'url'): Promise<Opened> {
  const namespace = wanted === 'url' ? { unavailable: 'as asked for' } : await startPodNamespace()
  if ('unavailable' in namespace) {
    if (wanted === 'signal') throw new Error(namespace.unavailable)
    const sentence = `the app is told by notify-url, without a pid namespace: ${namespace.unavailable}`
    return { runtime: plainRuntime(supervisor, folder), notify: 'url', sentence }
  }
  const sentence = 'the app is told by a signal, in a pid namespace that it shares with the sidecar'
  return { runtime: namespaceRuntime(supervisor, namespace), notify: 'signal', sentence }
}

/** Containers that see their volumes at the paths of the pod's spec, and each other's processes. */
function namespaceRuntime(supervisor: Supervisor, namespace: PodNamespace): Runtime {
  const terminationLogs = new Map<string, string>()
  return {
    async start({ name, command, env, mounts }, program) {
      const own = command.map((word) => onMachine(word, program))
      // The shell that makes the mounts has variables of its own; the container has its spec's and no others.
      const variables = Object.entries(env).map(([variable, value]) => `${variable}=${value}`)
      const container = await namespace.start({
        name,
        command: ['env', '-i', ...variables, ...own],
        binds: mounts,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      terminationLogs.set(name, container.terminationLog)
      return supervisor.adopt(name, container.process, {
        pid: container.pid,
        kill: (signal) => container.kill(signal),
      })
    },
    terminationMessage: (name) => readFileSync(terminationLogs.get(name) ?? '/dev/null', 'utf8').trim(),
    close: () => namespace.close(),
  }
}
