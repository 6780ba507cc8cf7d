/**
 * The end-to-end suite: builds the images, installs the overlay `emulator` with kustomize, runs the stories through kubectl, and
 * removes everything again. `npm run test:e2e [-- story ...]`; settings.ts tells what the environment may say.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { imageVariables, withInstallation } from './support/installation.ts'
import { readSettings, type E2eSettings } from './support/settings.ts'

const root = join(import.meta.dirname, '../..')
const say = (text: string): void => console.error(`e2e: ${text}`)

function stories(settings: E2eSettings, names: string[]): Promise<number> {
  const files = globSync('test/e2e/*.e2e.ts', { cwd: root }).filter(
    (file) => names.length === 0 || names.some((name) => basename(file).startsWith(name)),
  )
  const environment = { ...process.env, ...imageVariables(settings) }
  const args = ['run', '--jobs=3', '--timeout=600', '--disable-coverage', ...files.sort()]
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
    return await withInstallation(settings, say, () => {
      say('running the stories')
      return stories(settings, process.argv.slice(2))
    })
  } catch (error) {
    say((error as Error).message)
    return 1
  }
}

process.exitCode = await main()
