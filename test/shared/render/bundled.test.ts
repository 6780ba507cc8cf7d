import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { build } from 'esbuild'
import t from 'tap'
import { Pki } from '../../support/pki.ts'

const pki = new Pki(t)
const root = join(import.meta.dirname, '../../..')
const script = `
  import { readFileSync } from 'node:fs'
  const { readPkcs12 } = await import('./shared/render/pkcs12/pkcs12.ts')
  const { renderBundle } = await import('./shared/render/bundles.ts')
  const { renderTemplate } = await import('./shared/render/templates.ts')
  const objects = [{ type: 'secret', name: 'a', path: 'a', history: 1, split: false }]
  const files = new Map([['a', { content: Buffer.from('1') }]])
  process.stdout.write(await renderBundle('yaml', objects, files))
  process.stdout.write(await renderTemplate('{{ a | b64enc }}', objects, files))
  console.log((await readPkcs12(readFileSync(process.argv[2]))).certificates.length)
`

// A library that is CommonJS has other exports when it is imported dynamically in a bundle than under Node itself.
void t.test('rendering: code that is loaded on demand works in a bundle', async (t) => {
  const outdir = t.testdir({ 'package.json': '{"type":"module"}' })
  const banner = "import{createRequire as requireFrom}from'node:module';const require=requireFrom(import.meta.url);"
  await build({
    stdin: { contents: script, resolveDir: root, loader: 'ts' },
    outdir,
    banner: { js: banner },
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
  })
  const container = pki.file(pki.pkcs12(pki.chain('P-256', 1)))
  const printed = execFileSync(process.execPath, [join(outdir, 'stdin.js'), container])
  t.equal(printed.toString(), '"a": "1"\nMQ==1\n')
})
