/**
 * The program of exec probes, on the host network: `startup` or `live` asks the running sidecar. A program of its own, since it
 * runs every few seconds and needs next to nothing of the sidecar's.
 */
import { join } from 'node:path'
import { statusSocket } from '../../shared/names.ts'
import { probe } from './probe.ts'

/** For runs outside of a container: stands before every absolute path. */
const root = process.env['AKV_INJECTOR_ROOT'] ?? ''
const [kind = ''] = process.argv.slice(2)
const { code, text } = await probe(kind, join(root, statusSocket))
console.log(text)
process.exit(code)
