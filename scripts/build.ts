/**
 * Makes dist/sidecar.js, dist/probe.js and dist/webhook.js, each with the chunks that it loads on demand: `node scripts/build.ts`;
 * with `--emulator` dist/emulator.js too.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { build, type BuildOptions, type Metafile } from 'esbuild'
import { builtins } from './build/builtins.ts'
import { schemas } from './build/schemas.ts'
import { startChunk } from './build/start-chunk.ts'
import { oneSignIn, sidecarUnused, unused, webhookUnused } from './build/unused.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')

/** CommonJS dependencies call `require` for what is built into Node, which a module does not have. */
const banner = "import{createRequire as akvRequire}from'node:module';const require=akvRequire(import.meta.url);"

const entries: Readonly<Record<string, string>> = {
  sidecar: 'sidecar/main.ts',
  probe: 'sidecar/probe/main.ts',
  webhook: 'webhook/main.ts',
  emulator: 'test/emulator/main.ts',
}

/** Every injected pod pays for the sidecar. */
const lean: BuildOptions = {
  plugins: [unused(sidecarUnused), oneSignIn, builtins, schemas, startChunk('sidecar/main.ts')],
  // @azure/identity imports it on demand, for people who sign in with a browser.
  external: ['open'],
  // The SDK looks for FormData bodies on each request, which alone loads undici.
  define: { FormData: 'undefined' },
  inject: [join(import.meta.dirname, 'build/globals.ts')],
  banner: {},
}

/** The webhook's client of Kubernetes without the models of every kind of object, which are 4 MB. */
const slim: BuildOptions = {
  plugins: [unused(webhookUnused)],
  alias: { '@kubernetes/client-node': join(root, 'node_modules/@kubernetes/client-node/dist/config.js') },
}

/** The options for one program. Chunks bear their program's name, so that programs do not share a file. */
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
  ...(program === 'sidecar' || program === 'probe' ? lean : program === 'webhook' ? slim : {}),
})

/** Builds the programs that exist; returns what went into each. */
export async function buildAll(programs = ['sidecar', 'probe', 'webhook']): Promise<Map<string, Metafile>> {
  await mkdir(dist, { recursive: true })
  // The images have nothing else that says that these files are modules.
  await writeFile(join(dist, 'package.json'), '{"type":"module"}\n')
  const made = new Map<string, Metafile>()
  for (const program of programs) {
    const { metafile } = await build(optionsOf(program))
    if (metafile) made.set(program, metafile)
    await removeStale(program, metafile)
  }
  return made
}

/** Chunks of earlier builds have other names. */
async function removeStale(program: string, metafile: Metafile | undefined): Promise<void> {
  const current = new Set(Object.keys(metafile?.outputs ?? {}).map((path) => path.replace('dist/', '')))
  for (const name of await readdir(dist)) {
    if (name.startsWith(`${program}-`) && !current.has(name)) await rm(join(dist, name))
  }
}

if (import.meta.main) {
  const programs = ['sidecar', 'probe', 'webhook', ...(process.argv.includes('--emulator') ? ['emulator'] : [])]
  for (const [program, { outputs }] of await buildAll(programs)) {
    const sizes = Object.values(outputs).map(({ bytes }) => bytes)
    const sum = sizes.reduce((one, other) => one + other, 0)
    console.log(`dist/${program}.js: ${Math.round(sum / 1000)} kB in ${sizes.length} files`)
  }
}
