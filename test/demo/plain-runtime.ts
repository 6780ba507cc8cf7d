import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { terminationLog } from '../../shared/names.ts'
import type { Supervisor } from './processes.ts'
import { onMachine, type Runtime } from './runtime.ts'

/**
 * Containers without namespaces: an absolute path of theirs is below a folder of their own. The sidecar takes that folder from
 * AKV_INJECTOR_ROOT; any other program gets the paths of its arguments rewritten.
 */
export function plainRuntime(supervisor: Supervisor, folder: string): Runtime {
  const rootOf = (container: string) => join(folder, container)
  return {
    async start({ name, command, env, mounts }, program) {
      const root = rootOf(name)
      for (const { source, target } of mounts) {
        mkdirSync(join(root, dirname(target)), { recursive: true })
        symlinkSync(source, join(root, target))
      }
      mkdirSync(join(root, dirname(terminationLog)), { recursive: true })
      writeFileSync(join(root, terminationLog), '')
      const isMounted = (path: string) => mounts.some(({ target }) => path.startsWith(`${target}/`))
      const [file = '', ...args] = command.map((word) =>
        isMounted(word) ? join(root, word) : onMachine(word, program),
      )
      return supervisor.start(name, file, args, { env: { ...env, AKV_INJECTOR_ROOT: root }, cwd: root })
    },
    terminationMessage: (container) => readFileSync(join(rootOf(container), terminationLog), 'utf8').trim(),
    // Each is a process of the supervisor's.
    close: async () => {},
  }
}
