/**
 * `npm test`: the checks and the tests at the same time, because most tests wait more than they compute. Arguments go to the test
 * runner. The output of the checks follows at the end; the exit code is that of the checks or of the tests that fail.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const modules = join(import.meta.dirname, '../node_modules')
const shell = process.platform === 'win32'
const checks = spawn('npm', ['run', 'check'], { stdio: ['ignore', 'pipe', 'inherit'], shell })
const [checked, output] = [once(checks, 'close'), text(checks.stdout)]
// Each test file is a process of its own, which would compile the same modules again.
const env = { ...process.env, NODE_COMPILE_CACHE: join(modules, '.cache/node') }
const tests = spawn(join(modules, '.bin/tap'), process.argv.slice(2), { stdio: 'inherit', shell, env })
const codes = await Promise.all([once(tests, 'close'), checked])
console.log(await output)
process.exit(Math.max(...codes.map(([code]) => Number(code ?? 1))))
