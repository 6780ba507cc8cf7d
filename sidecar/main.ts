/**
 * The sidecar's program. Its argument says what it does: nothing or `run`, serve for the pod's life; `once`, fetch and exit.
 */
import './early-signals.ts'
import { openEarly } from './early-port.ts'

/** For runs outside of a container: stands before every absolute path. */
const root = process.env['AKV_INJECTOR_ROOT'] ?? ''
const [role = 'run'] = process.argv.slice(2)
const { env: environment } = process
const port = openEarly(role, environment)
// Not awaited here: what is loaded on demand shares a file with this module, and would wait for its end.
void import('./run.ts').then(async ({ runSidecar }) => {
  const started = (): void => void (process.exitCode = 0)
  process.exit(await runSidecar(role, { environment, root, port, started }).catch(() => 1))
})
