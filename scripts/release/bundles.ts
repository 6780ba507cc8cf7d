import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type Metafile } from 'esbuild'
import { optionsOf } from '../build.ts'

export interface TwoBuilds {
  /** What went into the bundles. */
  metafiles: Metafile[]
  /** Files that are not the same bytes in both builds; none if the bundles are reproducible. */
  differing: string[]
}

/** Builds programs twice, each time into a folder of its own below an empty one. */
export async function buildTwice(programs: readonly string[], folder: string): Promise<TwoBuilds> {
  const result: TwoBuilds = { metafiles: [], differing: [] }
  for (const program of programs) {
    const [first, second] = [join(folder, program, '1'), join(folder, program, '2')]
    const { metafile } = await build({ ...optionsOf(program), outdir: first })
    await build({ ...optionsOf(program), outdir: second })
    if (metafile) result.metafiles.push(metafile)
    result.differing.push(...(await differingFiles(first, second)))
  }
  return result
}

/** The names of the files that two folders do not both have with the same bytes. */
export async function differingFiles(one: string, other: string): Promise<string[]> {
  const names = [...new Set([...(await readdir(one)), ...(await readdir(other))])].sort()
  const read = (folder: string, name: string) => readFile(join(folder, name)).catch(() => undefined)
  const compared = names.map(async (name) => {
    const [first, second] = await Promise.all([read(one, name), read(other, name)])
    return first && second?.equals(first) ? [] : [name]
  })
  return (await Promise.all(compared)).flat()
}
