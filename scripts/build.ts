/**
 * Builds dist/<program>.js for each program, with the chunks that it loads on demand: `node scripts/build.ts`. With `--emulator`, it also builds dist/emulator.js.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { build, type BuildOptions, type Metafile } from 'esbuild'
import { builtins } from './build/builtins.ts'
import { schemas } from './build/schemas.ts'
import { startChunk } from './build/start-chunk.ts'
import { bundledPackages, noticesOf } from './release/notices.ts'
import { unclonedPatches } from './build/uncloned-patches.ts'
import { cliUnused, oneSignIn, sidecarUnused, unused, webhookUnused } from './build/unused.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

/** CommonJS dependencies call `require` for modules of Node, and an ES module has no `require`. */
const banner = "import{createRequire as akvRequire}from'node:module';const require=akvRequire(import.meta.url);"

const entries: Readonly<Record<string, string>> = {
  sidecar: 'sidecar/main.ts',
  probe: 'sidecar/probe/main.ts',
  environment: 'sidecar/environment/main.ts',
  webhook: 'webhook/main.ts',
  sync: 'sync/main.ts',
  cli: 'cli/main.ts',
  coordinator: 'coordinator/main.ts',
  rotation: 'coordinator/rotation/main.ts',
  emulator: 'test/emulator/main.ts',
}

/** The programs of the product's image. */
export const released = [
  'sidecar',
  'probe',
  'environment',
  'webhook',
  'sync',
  'cli',
  'coordinator',
  'rotation',
] as const

/** Options for the sidecar: every injected pod pays for what it loads. */
const lean: BuildOptions = {
  plugins: [unused(sidecarUnused), oneSignIn, builtins, schemas, startChunk('sidecar/run.ts')],
  // @azure/identity imports it on demand, to sign people in with a browser.
  external: ['open'],
  // The SDK checks each request for a FormData body, and that check alone loads undici.
  define: { FormData: 'undefined', 'globalThis.crypto': 'crypto' },
  inject: [join(import.meta.dirname, 'build/globals.ts')],
  banner: {},
}

/** Options for the webhook: the Kubernetes client without the models of every kind of object, which take 4 MB. */
const slim: BuildOptions = {
  plugins: [unused(webhookUnused), unclonedPatches],
  alias: { '@kubernetes/client-node': join(root, 'node_modules/@kubernetes/client-node/dist/config.js') },
}

/** Options for programs that use Kubernetes and Azure: without what neither the webhook nor the sidecar uses of them. */
const both: BuildOptions = {
  ...slim,
  plugins: [unused({ ...webhookUnused, ...sidecarUnused }), oneSignIn],
  external: ['open'],
}

const optionsByProgram: Readonly<Record<string, BuildOptions>> = {
  sidecar: lean,
  probe: lean,
  environment: lean,
  webhook: slim,
  sync: both,
  cli: { ...slim, plugins: [unused(cliUnused)] },
  coordinator: both,
}

/** Returns the options for one program. Chunks have their program's name, so that programs do not share a file. */
export const optionsOf = (program: string): BuildOptions => ({
  absWorkingDir: root,
  entryPoints: { [program]: entries[program] ?? '' },
  outdir: dist,
  chunkNames: `${program}-[name]-[hash]`,
  bundle: true,
  splitting: true,
  minify: true,
  legalComments: 'none',
  format: 'esm',
  platform: 'node',
  target: 'node24',
  mainFields: ['module', 'main'],
  banner: { js: banner },
  metafile: true,
  logLevel: 'warning',
  ...optionsByProgram[program],
})

/** Builds programs, and returns what went into each. */
export async function buildAll(programs: readonly string[] = released): Promise<Map<string, Metafile>> {
  await mkdir(dist, { recursive: true })
  // Nothing else in the images says that these files are ES modules.
  await writeFile(join(dist, 'package.json'), '{"type":"module"}\n')
  const made = new Map<string, Metafile>()
  for (const program of programs) {
    const { metafile } = await build(optionsOf(program))
    if (metafile) made.set(program, metafile)
    await removeStale(program, metafile)
  }
  return made
}

/** Removes the chunks of earlier builds, which have other names. */
async function removeStale(program: string, metafile: Metafile | undefined): Promise<void> {
  const current = new Set(Object.keys(metafile?.outputs ?? {}).map((path) => path.replace('dist/', '')))
  for (const name of await readdir(dist)) {
    if (name.startsWith(`${program}-`) && !current.has(name)) await rm(join(dist, name))
  }
}

/** The licenses of the packages in each image. */
async function writeNotices(made: ReadonlyMap<string, Metafile>): Promise<void> {
  const of = (programs: readonly string[]): Metafile[] => programs.flatMap((program) => made.get(program) ?? [])
  const images = { 'THIRD-PARTY-NOTICES': of(released), 'THIRD-PARTY-NOTICES-emulator': of(['emulator']) }
  for (const [file, metafiles] of Object.entries(images)) {
    if (metafiles.length > 0) await writeFile(join(dist, file), noticesOf(bundledPackages(metafiles, root)))
  }
}

if (import.meta.main) {
  const made = await buildAll([...released, ...(process.argv.includes('--emulator') ? ['emulator'] : [])])
  await writeNotices(made)
  for (const [program, { outputs }] of made) {
    const sizes = Object.values(outputs).map(({ bytes }) => bytes)
    const sum = sizes.reduce((one, other) => one + other, 0)
    console.log(`dist/${program}.js: ${Math.round(sum / 1000)} kB in ${sizes.length} files`)
  }
}
