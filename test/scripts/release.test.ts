import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Metafile } from 'esbuild'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { differingFiles } from '../../scripts/release/bundles.ts'
import { createRelease } from '../../scripts/release/main.ts'
import { bundledPackages, noticesOf } from '../../scripts/release/notices.ts'
import { notesOf } from '../../scripts/release/notes.ts'
import { renderer } from '../manifests/rendered.ts'
import { needs } from '../support/needs.ts'

/** A build's metafile that says that a bundle contains these files. */
const metafileOf = (...paths: string[]): Metafile => ({
  inputs: {},
  outputs: {
    'dist/a.js': {
      bytes: 1,
      imports: [],
      exports: [],
      inputs: Object.fromEntries(paths.map((path) => [path, { bytesInOutput: 1 }])),
    },
  },
})

const folderOf = (license: string | undefined, files: Record<string, string> = {}) => ({
  'package.json': JSON.stringify({ name: 'left-pad', version: '1.0.0', license }),
  'index.js': '',
  ...files,
})

void t.test('notices: each bundled package is named once, with its license and its texts', async (t) => {
  const root = t.testdir({
    node_modules: {
      'left-pad': folderOf('MIT', { LICENSE: 'license of left-pad\r\n', 'NOTICE.md': 'notice of left-pad' }),
      '@scope': { outer: { node_modules: { 'left-pad': folderOf('ISC', { 'license.txt': 'inner license' }) } } },
    },
  })
  const metafile = metafileOf(
    'webhook/main.ts',
    'node_modules/left-pad/index.js',
    'node_modules/left-pad/other.js',
    'node_modules/@scope/outer/node_modules/left-pad/index.js',
  )
  const packages = bundledPackages([metafile, metafile], root)
  t.strictSame(
    packages.map(({ name, version }) => `${name} ${version}`),
    ['left-pad 1.0.0'],
  )
  const [first] = bundledPackages([metafileOf('node_modules/left-pad/index.js')], root)
  t.strictSame(first?.texts, ['license of left-pad', 'notice of left-pad'])
  t.match(
    noticesOf(first ? [first] : []),
    /- left-pad 1\.0\.0: MIT\n[\s\S]*license of left-pad\n\nnotice of left-pad\n$/,
  )
})

void t.test('notices: a package without a license or its text is an error that names it', async (t) => {
  const root = t.testdir({
    node_modules: { 'left-pad': folderOf(undefined), 'right-pad': folderOf('MIT') },
  })
  t.throws(
    () => bundledPackages([metafileOf('node_modules/left-pad/index.js')], root),
    /left-pad 1\.0\.0 is bundled and names no license/,
  )
  t.throws(
    () => bundledPackages([metafileOf('node_modules/right-pad/index.js')], root),
    /left-pad 1\.0\.0 \(MIT\) is bundled and ships no license text/,
  )
})

void t.test('release notes: the dated section of the version, and errors that say what is missing', async (t) => {
  const changelog = '# Changelog\n\n## 1.1.0 (unreleased)\n\n- new\n\n## 1.0.0 (2026-11-30)\n\n- first\n'
  t.equal(notesOf(changelog, '1.0.0'), '- first\n')
  t.throws(() => notesOf(changelog, '1.1.0'), /must end with the date of the release/)
  t.throws(() => notesOf(changelog, '1.2.0'), /has no section "## 1\.2\.0 \(YYYY-MM-DD\)"/)
  t.throws(() => notesOf('## 1.0.0 (2026-11-30)\n\n', '1.0.0'), /section of 1\.0\.0 is empty/)
})

void t.test('reproducible bundles: a file that differs or is in one build only is named', async (t) => {
  const folder = t.testdir({ one: { a: '1', b: '2' }, other: { a: '1', b: '3', c: '4' } })
  t.strictSame(await differingFiles(join(folder, 'one'), join(folder, 'other')), ['b', 'c'])
  mkdirSync(join(folder, 'same'))
  writeFileSync(join(folder, 'same/a'), '1')
  writeFileSync(join(folder, 'same/b'), '2')
  t.strictSame(await differingFiles(join(folder, 'one'), join(folder, 'same')), [])
})

void t.test(
  'release: bundles are reproducible, and every asset is complete',
  needs('kubectl', renderer?.[0] === 'kubectl'),
  async (t) => {
    t.setTimeout(300_000)
    const { version } = (await import('../../package.json', { with: { type: 'json' } })).default
    const image = 'registry.example.com/akv-injector'
    const files = await createRelease({ version, image, out: t.testdir(), draft: true })
    for (const name of ['install.yaml', 'emulator.yaml']) {
      const documents = parseAllDocuments(files[name] ?? '').map((one) => one.toJS() as { kind: string })
      t.ok(documents.length > 15, `${name}: ${documents.length} objects`)
      const images = [...(files[name] ?? '').matchAll(/ image: (.*)/g)].map(([, used = '']) => used)
      t.ok(images.length >= 2)
      t.strictSame(
        images.filter((used) => !used.startsWith(image) || !used.endsWith(`:${version}`)),
        [],
        `${name}: every image is the release's`,
      )
    }
    const sbom = JSON.parse(files['sbom.cdx.json'] ?? '') as { bomFormat: string; components: { name: string }[] }
    t.equal(sbom.bomFormat, 'CycloneDX')
    const listed = new Set(sbom.components.map(({ name }) => name))
    const bundled = [...(files['THIRD-PARTY-NOTICES'] ?? '').matchAll(/^- (\S+) (\S+): /gm)].map(
      ([, name = '']) => name,
    )
    t.ok(bundled.length > 50, `${bundled.length} packages in the bundles`)
    t.strictSame(
      bundled.filter((name) => !listed.has(name)),
      [],
      'the bill of materials lists every bundled package',
    )
    t.notOk(listed.has('tap') || listed.has('esbuild'), 'and nothing that only builds or tests')
    t.match(files['SHA256SUMS'], /^([0-9a-f]{64} {2}\S+\n){4}$/)
    await t.rejects(createRelease({ version: '9.9.9', image, out: t.testdir() }), /package\.json has version/)
  },
)
