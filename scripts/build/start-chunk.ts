import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plugin } from 'esbuild'

/**
 * Keeps everything that a program loads at its start in one file. esbuild assigns modules to files by the entries that reach
 * them, so it would put a module that is shared with a part loaded on demand into a separate file, and each file takes Node
 * a millisecond. Here, every part that is loaded on demand reaches all of the program's first file, which is loaded by then.
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
        ? {
            contents: `${await readFile(path, 'utf8')}\nimport ${JSON.stringify(join(build.initialOptions.absWorkingDir ?? '', first))}\n`,
            loader: 'ts',
          }
        : undefined,
    )
  },
})
