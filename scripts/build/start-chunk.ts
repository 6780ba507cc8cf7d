import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plugin } from 'esbuild'

/**
 * Keeps what a program loads at its start in one file. esbuild puts modules into a file by the entries that reach them, so one that
 * is shared with a part loaded on demand stands in a file of its own, and each file takes Node a millisecond. Here every part
 * loaded on demand, except for those that the program's first file chooses among, reaches all of `start`, which is loaded by then.
 */
export const startChunk = ({ first, start }: { first: string; start: string }): Plugin => ({
  name: 'start-chunk',
  setup(build) {
    const onDemand = new Set<string>()
    build.onResolve({ filter: /^\./ }, ({ path, kind, importer, resolveDir }) => {
      if (kind === 'dynamic-import' && !importer.endsWith(first)) onDemand.add(join(resolveDir, path))
      return undefined
    })
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) =>
      onDemand.has(path)
        ? { contents: `${await readFile(path, 'utf8')}\nimport ${JSON.stringify(join(build.initialOptions.absWorkingDir ?? '', start))}\n`, loader: 'ts' } // prettier-ignore
        : undefined,
    )
  },
})
