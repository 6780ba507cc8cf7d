/**
 * Makes everything of a release that needs no registry: `node scripts/release/main.ts --version 1.2.3 --image ghcr.io/me/akv-injector
 * --out release [--draft]`. A draft may have a version whose section of the changelog has no date yet. See RELEASE.md.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { released } from '../build.ts'
import { buildTwice } from './bundles.ts'
import { renderOverlay } from './manifests.ts'
import { bundledPackages, noticesOf } from './notices.ts'
import { notesOf } from './notes.ts'
import { createSbom } from './sbom.ts'

const root = join(import.meta.dirname, '../..')

export interface ReleaseOptions {
  version: string
  /** Without a tag; the emulator's has `-emulator` at its end. */
  image: string
  out: string
  /** Whether the changelog may still be without a date. */
  draft?: boolean
}

/** Writes the assets of a release. @throws Error naming what must be mended before this version can be released */
export async function createRelease({
  version,
  image,
  out,
  draft = false,
}: ReleaseOptions): Promise<Record<string, string>> {
  const inPackage = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version
  if (inPackage !== version) throw new Error(`package.json has version ${inPackage}, and the release is ${version}`)
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
  const notes = notesOf(
    draft ? changelog.replace(`## ${version} (unreleased)`, `## ${version} (1970-01-01)`) : changelog,
    version,
  )
  const { metafiles, differing } = await inScratch((folder) => buildTwice(released, folder))
  if (differing.length > 0) throw new Error(`two builds differ in ${differing.join(', ')}`)
  const images = {
    'akv-injector': { name: image, tag: version },
    'akv-injector-emulator': { name: `${image}-emulator`, tag: version },
  }
  const manifests = join(root, 'manifests')
  const assets: Record<string, string> = {
    'install.yaml': renderOverlay('self-managed', images, manifests),
    'emulator.yaml': renderOverlay('emulator', images, manifests),
    'sbom.cdx.json': createSbom(root),
    'THIRD-PARTY-NOTICES': noticesOf(bundledPackages(metafiles, root)),
  }
  const sums = Object.entries(assets).map(
    ([name, text]) => `${createHash('sha256').update(text).digest('hex')}  ${name}\n`,
  )
  mkdirSync(out, { recursive: true })
  const files = { ...assets, SHA256SUMS: sums.join(''), 'notes.md': notes }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(out, name), text)
  return files
}

async function inScratch<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'akv-injector-release-'))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      version: { type: 'string' },
      image: { type: 'string' },
      out: { type: 'string', default: 'release' },
      draft: { type: 'boolean', default: false },
    },
  })
  const { version, image, out, draft } = values
  if (version === undefined || image === undefined) {
    console.error(
      'usage: node scripts/release/main.ts --version 1.2.3 --image ghcr.io/me/akv-injector [--out FOLDER] [--draft]',
    )
    process.exitCode = 2
  } else {
    try {
      const files = await createRelease({ version, image, out, draft })
      for (const [name, text] of Object.entries(files)) console.log(`${join(out, name)}: ${text.length} characters`)
    } catch (error) {
      console.error((error as Error).message)
      process.exitCode = 1
    }
  }
}
