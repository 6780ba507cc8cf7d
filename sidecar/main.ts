/**
 * The sidecar's program. Its argument says what it does: nothing or `run`, serve for the pod's life; `once`, fetch and exit.
 */
import './early-signals.ts'
import { runSidecar } from './run.ts'

/** For runs outside of a container: stands before every absolute path. */
const root = process.env['AKV_INJECTOR_ROOT'] ?? ''
const [role = 'run'] = process.argv.slice(2)
// Not awaited here: what is loaded on demand shares a file with this module, and would wait for its end.
void runSidecar(role, { environment: process.env, root, started: () => (process.exitCode = 0) })
  .catch(() => 1)
  .then((code) => process.exit(code))
