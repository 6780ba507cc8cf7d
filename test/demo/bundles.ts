import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The checkout's folder. */
export const root = join(import.meta.dirname, '../..')
export const bundles = { sidecar: join(root, 'dist/sidecar.js'), webhook: join(root, 'dist/webhook.js') }

const sources = ['shared', 'sidecar', 'webhook', 'coordinator', 'certs', 'scripts/build.ts', 'package-lock.json']

/**
 * Builds dist/ where it is missing or older than what it is made of.
 * @returns whether it did
 */
export async function ensureBundles(signal?: AbortSignal): Promise<boolean> {
  const [built, changed] = await Promise.all([
    Promise.all(Object.values(bundles).map(modified)),
    Promise.all(sources.map((source) => newest(join(root, source)))),
  ])
  if (Math.min(...built) > Math.max(...changed)) return false
  await promisify(execFile)(process.execPath, [join(root, 'scripts/build.ts')], {
    cwd: root,
    ...(signal && { signal }),
  })
  return true
}

/** Milliseconds since 1970; 0 for a file that is not there. */
const modified = (file: string): Promise<number> =>
  stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  )

async function newest(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) return modified(path)
  const files = entries.filter((entry) => entry.isFile()).map((entry) => modified(join(entry.parentPath, entry.name)))
  return Math.max(0, ...(await Promise.all(files)))
}
