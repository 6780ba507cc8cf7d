import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sidecarScript, terminationLog } from '../../shared/names.ts'
import type { ContainerConfig } from './kubelet.ts'
import type { Supervisor, Watched } from './processes.ts'

/** Runs containers as processes of this machine. */
export interface Runtime {
  /** @param program what stands at a path of the container's image, beside node */
  start(config: ContainerConfig, program: Program): Watched
  /** What the container left in its termination log. */
  terminationMessage(container: string): string
}
/** A file of the image: its path there and on this machine. */
export interface Program {
  path: string
  source: string
}

export const sidecarProgram = (source: string): Program => ({ path: sidecarScript, source })

/**
 * Containers without namespaces: an absolute path of theirs is below a folder of their own. The sidecar takes that folder from
 * AKV_INJECTOR_ROOT; any other program gets the paths of its arguments rewritten.
 */
export function plainRuntime(supervisor: Supervisor, folder: string): Runtime {
  const rootOf = (container: string) => join(folder, container)
  return {
    start({ name, args, env, mounts }, program) {
      const root = rootOf(name)
      for (const { source, target } of mounts) {
        mkdirSync(join(root, dirname(target)), { recursive: true })
        symlinkSync(source, join(root, target))
      }
      mkdirSync(join(root, dirname(terminationLog)), { recursive: true })
      writeFileSync(join(root, terminationLog), '')
      const isMounted = (path: string) => mounts.some(({ target }) => path.startsWith(`${target}/`))
      const own = args.map((arg) => (arg === program.path ? program.source : isMounted(arg) ? join(root, arg) : arg))
      return supervisor.start(name, process.execPath, own, { env: { ...env, AKV_INJECTOR_ROOT: root }, cwd: root })
    },
    terminationMessage: (container) => readFileSync(join(rootOf(container), terminationLog), 'utf8').trim(),
  }
}
