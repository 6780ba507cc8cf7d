import { build, type Metafile } from 'esbuild'
import t from 'tap'
import { optionsOf } from '../../scripts/build.ts'
import { sidecarUnused, webhookUnused } from '../../scripts/build/unused.ts'

const built = (program: string) => build({ ...optionsOf(program), write: false, metafile: true })
const metafileOf = async (program: string): Promise<Metafile> => (await built(program)).metafile

/** Packages that a bundle has something of, or the first folders of our own sources. */
const partsOf = ({ inputs }: Metafile): Set<string> =>
  new Set(
    Object.keys(inputs).map(
      (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path.split('/', 1)[0] ?? path,
    ),
  )

/** The bytes of an output and of everything that it imports before it runs. */
function loadedWith(entry: string, { outputs }: Metafile, seen = new Set<string>()): number {
  const output = outputs[entry]
  if (!output || seen.has(entry)) return 0
  seen.add(entry)
  const needed = output.imports.filter(({ kind, external }) => kind === 'import-statement' && !external)
  return needed.reduce((sum, { path }) => sum + loadedWith(path, { outputs, inputs: {} }, seen), output.bytes)
}

void t.test(
  'bundles: the sidecar contains nothing of Kubernetes or the webhook, the webhook nothing of Azure or the sidecar',
  async (t) => {
    const [sidecar, webhook] = await Promise.all([metafileOf('sidecar'), metafileOf('webhook')])
    const inSidecar = [...partsOf(sidecar)]
    const inWebhook = [...partsOf(webhook)]
    t.strictSame(
      inSidecar.filter((part) => /^@kubernetes\/|^@?fastify|^(webhook|certs|prom-client)$/.test(part)),
      [],
    )
    t.strictSame(
      inWebhook.filter((part) => /^@azure\/|^sidecar$/.test(part)),
      [],
    )
    t.ok(
      inSidecar.includes('@azure/keyvault-secrets') && inWebhook.includes('fastify'),
      'this looks at the right thing',
    )
  },
)

void t.test('bundles: every stand-in replaces something, and the libraries of the decisions are in use', async (t) => {
  for (const [program, standIns, libraries] of [
    ['sidecar', sidecarUnused, ['@azure/identity', '@azure/keyvault-secrets']],
    ['webhook', webhookUnused, ['fast-json-patch', 'leven']],
  ] as const) {
    const metafile = await metafileOf(program)
    const missing = Object.keys(standIns).filter((name) => metafile.inputs[`unused:${name}`] === undefined)
    t.strictSame(missing, [], `${program}: a stand-in that nothing imports can go`)
    const parts = partsOf(metafile)
    for (const library of libraries) t.ok(parts.has(library), `${program}: ${library}`)
  }
})

void t.test('bundles: the probe loads next to nothing, and the sidecar loads rarely used code on demand', async (t) => {
  t.ok(loadedWith('dist/probe.js', await metafileOf('probe')) < 5_000, 'the probe')
  const metafile = await metafileOf('sidecar')
  const seen = new Set<string>()
  const early = loadedWith('dist/sidecar.js', metafile, seen)
  t.ok(early < 12_000, `before the sidecar listens: ${early} bytes`)
  const [rest = ''] =
    Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === 'sidecar/run.ts') ?? []
  t.ok(loadedWith(rest, metafile, seen) > 100_000, 'the sidecar')
  t.equal(seen.size, 4, 'as few files as can be')
  t.notOk(metafile.inputs['shared/outcomes.ts'], 'the help about outcomes is for people')
  const inputs = [...seen].flatMap((output) => Object.keys(metafile.outputs[output]?.inputs ?? {}))
  t.strictSame(
    inputs.filter((path) => /(sidecar|shared)\/coordination\/|sidecar\/turns\//.test(path)),
    [],
    'nothing that only pods with a coordinator need',
  )
  const bytes = new Map<string, number>()
  for (const [path, { bytesInOutput }] of [...seen].flatMap((output) =>
    Object.entries(metafile.outputs[output]?.inputs ?? {}),
  )) {
    const [, name = ''] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? []
    bytes.set(name, (bytes.get(name) ?? 0) + bytesInOutput)
  }
  for (const name of [
    'node-forge',
    'liquidjs',
    'yaml',
    'jsonwebtoken',
    'open',
    '@azure/keyvault-keys',
    '@azure/keyvault-certificates',
    // A vault's first request has no token.
    ...['@azure/identity', '@azure/msal-common', '@azure/msal-node'],
  ]) {
    t.equal(bytes.get(name) ?? 0, 0, name)
  }
  t.ok((bytes.get('typebox') ?? 0) < 20_000, `of typebox the compiled check alone: ${bytes.get('typebox')} bytes`)
})

void t.test('bundles: the sidecar uses no global that loads much of Node at its first use', async (t) => {
  const { outputFiles } = await built('sidecar')
  for (const { path, text } of outputFiles) t.notMatch(text, /\bglobalThis\.crypto\b|\bperformance\.now\b/, path)
})
