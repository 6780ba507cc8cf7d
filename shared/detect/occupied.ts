import type { PlannedFile } from '../paths.ts'

/** The files of a pod and whose they are, so that one more can be checked without a look at all of them. */
export class Occupied {
  readonly #files = new Map<string, string>()
  /** Folders, and one of those who have a file in them. */
  readonly #folders = new Map<string, string>()

  constructor(files: readonly PlannedFile[]) {
    for (const { path, source } of files) this.add([path], source)
  }

  add(paths: readonly string[], source: string): void {
    for (const path of paths) {
      this.#files.set(path, source)
      for (const folder of foldersOf(path)) this.#folders.set(folder, source)
    }
  }

  /** Why files cannot be beside those that are there, or undefined. */
  conflict(paths: readonly string[]): string | undefined {
    for (const path of paths) {
      const same = this.#files.get(path)
      if (same !== undefined) return `its file "${path}" is also that of ${same}`
      const inside = this.#folders.get(path)
      if (inside !== undefined) return `its file "${path}" is the folder of a file of ${inside}`
      for (const folder of foldersOf(path)) {
        const above = this.#files.get(folder)
        if (above !== undefined) return `its file "${path}" is inside of "${folder}", which is a file of ${above}`
      }
    }
    return undefined
  }
}

/** `a/b/c` is in `a/b` and `a`. */
function* foldersOf(path: string): Iterable<string> {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) yield path.slice(0, end)
}
