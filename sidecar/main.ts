/**
 * The sidecar's program. Its first argument says what it does: nothing or `run`, serve for the pod's life; `once`, fetch and
 * exit; `probe startup` or `probe live`, ask the running sidecar (exec probes on the host network).
 */
import { join } from 'node:path'

import { statusSocket } from '../shared/names.ts'

// From the first moment on: a process with pid 1 ignores signals that it has no handler for.
process.on('SIGTERM', () => process.exit(0))
process.on('SIGINT', () => process.exit(0))

/** For runs outside of a container: stands before every absolute path. */
const root = process.env['AKV_INJECTOR_ROOT'] ?? ''
const [role = 'run', kind = ''] = process.argv.slice(2)

// A probe runs every few seconds and needs next to nothing of the rest.
if (role === 'probe') {
  const { probe } = await import('./probe.ts')
  const { code, text } = await probe(kind, join(root, statusSocket))
  console.log(text)
  process.exit(code)
} else {
  const { runSidecar } = await import('./wiring.ts')
  process.exit(await runSidecar(role, { environment: process.env, root }))
}
