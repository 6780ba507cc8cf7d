// Installs the dependencies of the lockfile if they are not installed. The `pre` scripts of npm call it, so that
// `npm run demo` and `npm test` work right after a clone. It is plain JavaScript, because the machine's Node may be old.
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'

const installed = 'node_modules/.package-lock.json'
if (!existsSync(installed) || statSync('package-lock.json').mtimeMs > statSync(installed).mtimeMs) {
  const npm = process.env['npm_execpath']
  const install = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  // Under npm, npm_execpath is a JavaScript file. Under another package manager it is not, and npm must be on the PATH.
  if (npm?.endsWith('.js')) execFileSync(process.execPath, [npm, ...install], { stdio: 'inherit' })
  else execFileSync('npm', install, { stdio: 'inherit', shell: process.platform === 'win32' })
}
