import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import type { Manifest } from '../../cli/documents.ts'
import { injectDocuments, templateIn, type InjectOptions } from '../../cli/inject.ts'
import { migrateDocuments } from '../../cli/migrate.ts'
import { settingsVariable, sidecarContainer } from '../../shared/names.ts'
import { decodeSettings, type Settings } from '../../shared/settings/codec.ts'
import type { SidecarFixture } from '../support/sidecar-bundle.ts'
import type { Pki } from '../support/pki.ts'
import type { Case } from './cases.ts'
import { fillVault, type ExpectedFile } from './expected.ts'
import { isRefusedByProvider } from './provider-rules.ts'

/** What became of a case. */
export interface Outcome {
  place: string
  name: string
  /** `invalid`: neither the injector nor the Azure provider accepts the class. */
  result: 'equal' | 'invalid' | 'unchanged' | 'different'
  /** How many files the class asks for. */
  files: number
  /** Why it was not migrated, or what differs. */
  problems: string[]
  notes: string[]
}

/** Migrates a case, runs the sidecar that the webhook would inject, and compares its files with those of the Azure provider. */
export async function evaluate(one: Case, options: InjectOptions, fixture: SidecarFixture, pki: Pki): Promise<Outcome> {
  const common = { place: one.place, name: one.name, files: 0, problems: [], notes: [] }
  const text = [one.pod, ...one.classes, ...one.others].map((manifest) => stringify(manifest)).join('---\n')
  const migrated = await migrateDocuments(text, options)
  if (!migrated.ok) throw new Error(migrated.problems.join('; '))
  const [migration] = migrated.value.migrations
  if (migration?.outcome !== 'migrated') {
    const result = one.classes.some(isRefusedByProvider) ? 'invalid' : 'unchanged'
    return { ...common, result, problems: migration?.problems ?? [] }
  }
  const { notes } = migration
  const settings = await settingsOf(migrated.value.text, options)
  const expected = await fillVault(one.classes, fixture.emulator.vault(vaultOf(settings)), pki)
  const problems = await run(settings, expected, fixture)
  return { ...common, result: problems.length === 0 ? 'equal' : 'different', files: expected.length, problems, notes }
}

const vaultOf = ({ objects }: Settings): string => new URL(objects[0]!.vault).hostname.split('.')[0]!

/** The settings that the webhook writes into the migrated pod. */
async function settingsOf(text: string, options: InjectOptions): Promise<Settings> {
  const injected = await injectDocuments(text, options)
  if (!injected.ok) throw new Error(injected.problems.join('; '))
  for (const document of parseAllDocuments(injected.value.text)) {
    const { spec } = (templateIn({ manifest: document.toJS() as Manifest, path: [] })?.value ?? {}) as {
      spec?: Record<'containers' | 'initContainers', { name: string; env?: { name: string; value?: string }[] }[]>
    }
    const sidecar = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find(
      ({ name }) => name === sidecarContainer,
    )
    const value = sidecar?.env?.find(({ name }) => name === settingsVariable)?.value
    if (value === undefined) continue
    const decoded = decodeSettings(value)
    if (decoded.ok) return decoded.value
  }
  throw new Error('no pod was injected')
}

/** Fetches once, with the identity that the emulator knows, and returns what differs. */
async function run(settings: Settings, expected: readonly ExpectedFile[], fixture: SidecarFixture): Promise<string[]> {
  const mount = join(fixture.root, settings.mountPath)
  rmSync(mount, { recursive: true, force: true })
  mkdirSync(mount, { recursive: true })
  const identities = settings.identities.map(() => fixture.settings.identities[0]!)
  const sidecar = fixture.start({ settings: { ...settings, identities }, args: ['once'] })
  const { code } = await sidecar.exited
  if (code !== 0) return [`the sidecar ended with ${code}: ${sidecar.output().split('\n').at(-2)}`]
  return differences(mount, expected)
}

/** How the files of a folder differ from those that are expected, as sentences. */
export function differences(folder: string, expected: readonly ExpectedFile[]): string[] {
  const there = filesIn(folder)
  return [
    ...expected.flatMap(({ path, content, mode }) => {
      if (!there.includes(path)) return [`${path} is missing`]
      const wrong = readFileSync(join(folder, path)).equals(content) ? [] : [`${path} has other bytes`]
      const found = statSync(join(folder, path)).mode & 0o777
      return mode === undefined || mode === found ? wrong : [...wrong, `${path} has the mode ${found.toString(8)}`]
    }),
    ...there.filter((path) => !expected.some((one) => one.path === path)).map((path) => `${path} is not asked for`),
  ]
}

/** Relative paths of what an app reads; names with two dots are the volume's own. */
function filesIn(folder: string, prefix = ''): string[] {
  return readdirSync(join(folder, prefix))
    .filter((name) => !name.startsWith('..'))
    .flatMap((name) => {
      const path = join(prefix, name)
      return statSync(join(folder, path)).isDirectory() ? filesIn(folder, path) : [path]
    })
}
