import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Metafile } from 'esbuild'

/** A package of which a bundle contains code. */
export interface BundledPackage {
  name: string
  version: string
  /** An SPDX expression. */
  license: string
  /** Its license and notice files, as the package ships them. */
  texts: string[]
}

/** What the ESM of `node_modules/a/node_modules/@b/c/d.js` belongs to: the innermost package. */
const packageFolder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//
const noticeFile = /^(licen[cs]e|copying|notice)([.-].*)?$/i

/** The packages of bundles, by name and version. @throws Error naming a package without a license or without its text */
export function bundledPackages(metafiles: Iterable<Metafile>, root: string): BundledPackage[] {
  const outputs = [...metafiles].flatMap((metafile) => Object.values(metafile.outputs))
  const folders = outputs.flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) =>
      bytesInOutput > 0 ? (packageFolder.exec(path)?.[1] ?? []) : [],
    ),
  )
  return [...new Set(folders)]
    .map((folder) => readPackage(join(root, folder)))
    .sort((one, other) => one.name.localeCompare(other.name) || one.version.localeCompare(other.version))
    .filter(({ name, version }, index, all) => all[index - 1]?.name !== name || all[index - 1]?.version !== version)
}

function readPackage(folder: string): BundledPackage {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Partial<BundledPackage>
  if (name === undefined || version === undefined) throw new Error(`${folder}/package.json has no name or version`)
  if (typeof license !== 'string') throw new Error(`${name} ${version} is bundled and names no license`)
  const texts = readdirSync(folder)
    .filter((file) => noticeFile.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim())
  if (texts.length > 0) return { name, version, license, texts }
  const standard = join(import.meta.dirname, 'licenses', `${name.replace('/', '+')}.txt`)
  if (existsSync(standard)) return { name, version, license, texts: [readFileSync(standard, 'utf8').trim()] }
  throw new Error(
    `${name} ${version} (${license}) is bundled and ships no license text: put its text into scripts/release/licenses/`,
  )
}

const rule = '-'.repeat(80)

/** The file THIRD-PARTY-NOTICES: an overview, then the texts of each package. */
export function noticesOf(packages: readonly BundledPackage[]): string {
  const overview = packages.map(({ name, version, license }) => `- ${name} ${version}: ${license}`)
  const texts = packages.flatMap(({ name, version, texts }) => [rule, `${name} ${version}`, rule, ...texts])
  return [
    'akv-injector contains code of the following packages, under their own licenses.',
    overview.join('\n'),
    ...texts,
  ]
    .join('\n\n')
    .concat('\n')
}
