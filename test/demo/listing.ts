import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What `ls -l` would show of a folder's own entries: what a name leads to, and mode and size of what is there. */
export function listing(folder: string): string[] {
  const names = readdirSync(folder).sort()
  const width = Math.max(0, ...names.map((name) => name.length))
  return names
    .filter((name) => lstatSync(join(folder, name)).isSymbolicLink())
    .map((name) => {
      const file = statSync(join(folder, name))
      const what = file.isFile()
        ? `${(file.mode & 0o777).toString(8).padStart(4, '0')} ${file.size} bytes`
        : 'the current set'
      return `${name.padEnd(width)} -> ${readlinkSync(join(folder, name))}  (${what})`
    })
}
