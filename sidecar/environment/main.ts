/**
 * The program of the container that checks environment variables, before the app starts: a kubelet that does not know variables from
 * files sets them empty without a word. A program of its own, since it needs nothing of the sidecar's.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { containersVariable, terminationLog } from '../../shared/names.ts'
import { longestMessage } from '../../shared/termination-limit.ts'
import { containersIn, terminationMessage } from '../termination-message.ts'
import { environmentProblem } from './environment-problem.ts'

const problem = environmentProblem(process.env)
if (problem !== undefined) {
  const reason = { lines: [problem], outcome: 'environment' } as const
  const most = longestMessage(containersIn(process.env[containersVariable]))
  console.error(terminationMessage(reason))
  try {
    // For runs outside of a container, a folder stands before every absolute path.
    writeFileSync(join(process.env['AKV_INJECTOR_ROOT'] ?? '', terminationLog), terminationMessage(reason, most))
  } catch {
    // The log has it.
  }
  process.exitCode = 1
}
