/**
 * The end-to-end suite: builds the images, installs the overlay `emulator` with kustomize, runs the scenarios through kubectl, and
 * removes everything again. `npm run test:e2e [-- scenario ...]`; settings.ts tells what the environment may say.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { imageVariables, withInstallation } from './support/installation.ts'
import { readSettings, type E2eSettings } from './support/settings.ts'

const root = join(import.meta.dirname, '../..')
const say = (text: string): void => console.error(`e2e: ${text}`)

/** Runs the scenarios, then the checks of everything that happened since the installation began. */
async function runScenarios(settings: E2eSettings, names: string[], since: string): Promise<number> {
  const started = { E2E_STARTED: since, E2E_SCENARIOS: names.join(' ') }
  const find = (pattern: string): string[] => globSync(pattern, { cwd: root }).sort()
  const isAsked = (file: string): boolean => names.length === 0 || names.some((name) => basename(file).startsWith(name))
  let code = 0
  // Each in the folder `alone` changes what the others share, or measures times that they would delay.
  for (const [pattern, jobs] of [
    ['test/e2e/*.e2e.ts', 3],
    ['test/e2e/alone/*.e2e.ts', 1],
  ] as const) {
    const files = find(pattern).filter(isAsked)
    if (files.length > 0) code = (await runFiles(files, jobs, settings, started)) || code
  }
  return (await runFiles(find('test/e2e/after/*.e2e.ts'), 3, settings, started)) || code
}

function runFiles(files: string[], jobs: number, settings: E2eSettings, more: Record<string, string>): Promise<number> {
  const environment = { ...process.env, ...imageVariables(settings), ...more }
  const args = ['run', `--jobs=${jobs}`, '--timeout=600', '--disable-coverage', ...files]
  return new Promise((resolve, reject) => {
    const child = spawn(join(root, 'node_modules/.bin/tap'), args, { cwd: root, stdio: 'inherit', env: environment })
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}

async function main(): Promise<number> {
  let settings: E2eSettings
  try {
    settings = readSettings(process.env)
  } catch (error) {
    console.error((error as Error).message)
    return 1
  }
  try {
    return await withInstallation(settings, say, (since) => {
      say('running the scenarios')
      return runScenarios(settings, process.argv.slice(2), since)
    })
  } catch (error) {
    say((error as Error).message)
    return 1
  }
}

process.exitCode = await main()
