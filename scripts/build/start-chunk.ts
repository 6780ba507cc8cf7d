import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plugin } from 'esbuild'

/**
 * Keeps what a program loads at its start in one file. esbuild puts modules into a file by the entries that reach them, so one that
 * is shared with a part loaded on demand stands in a file of its own, and each file takes Node a millisecond. Here every part
 * loaded on demand reaches all of the program's first file, which is loaded by then.
 */
export const startChunk = (first: string): Plugin => ({
  name: 'start-chunk',
  setup(build) {
    const onDemand = new Set<string>()
    build.onResolve({ filter: /^\./ }, ({ path, kind, resolveDir }) => {
      if (kind === 'dynamic-import') onDemand.add(join(resolveDir, path))
      return undefined
    })
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) =>
      onDemand.has(path)
        ? { contents: `${await readFile(path, 'utf8')}\nimport ${JSON.stringify(join(build.initialOptions.absWorkingDir ?? '', first))}\n`, loader: 'ts' } // prettier-ignore
        : undefined,
    )
  },
})
