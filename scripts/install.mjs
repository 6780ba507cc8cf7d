// Installs the dependencies of the lockfile where that has not been done: what npm's `pre` scripts call, so that
// `npm run demo` and `npm test` work right after a clone. Plain JavaScript: the machine's own Node may be an old one.
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'

const installed = 'node_modules/.package-lock.json'
if (!existsSync(installed) || statSync('package-lock.json').mtimeMs > statSync(installed).mtimeMs) {
  const npm = process.env['npm_execpath']
  const install = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  // npm's own path is a script of Node's; elsewhere (another package manager) it is a program on the PATH.
  if (npm?.endsWith('.js')) execFileSync(process.execPath, [npm, ...install], { stdio: 'inherit' })
  else execFileSync('npm', install, { stdio: 'inherit', shell: process.platform === 'win32' })
}
