import { noMount } from '../../shared/annotations/parsers.ts'
import { objectName, tooMany, type ObjectSpec } from '../../shared/objects/spec.ts'
import { treeProblems } from '../../shared/paths.ts'
import { memberName, membersOf } from '../../shared/render/bundle.ts'
import { emptyGroups } from '../../shared/render/groups.ts'
import { TemplateEffort, templateProblems, templateUses, type TemplateUses } from '../../shared/render/template.ts'
import { encodeSettings, maxEncodedSettings, type Settings } from '../../shared/settings/codec.ts'
import { plannedFiles } from '../../shared/settings/rules.ts'
import { quote } from '../../shared/messages.ts'
import type { Diagnostics } from '../reasons.ts'
import type { PlanContext } from './context.ts'
import { checkKeys, checkReaders } from './file-access.ts'
import { requestsOf } from './finds.ts'
import type { Requests } from './requests.ts'
import type { SidecarUser } from './sidecar-user.ts'

interface CheckInputs {
  requests: Requests
  /** The owner of the files. */
  user: SidecarUser
  /** Templates that were read ahead, by their text. */
  templates?: ReadonlyMap<string, TemplateUses> | undefined
}

/**
 * Checks the files that a pod gets, whether its containers can read them, its templates and bundles, and the size of its settings.
 * @returns the encoded settings; empty if they are too large to be worth encoding
 */
export function checkSettings(
  context: PlanContext,
  settings: Settings,
  { requests, user, templates = new Map() }: CheckInputs,
): string {
  const { diagnostics } = context
  const { sources, complete } = requests
  // Settings beyond the limits are denied without a closer look, which would take time.
  const isBounded = checkCounts(settings, diagnostics)
  if (isBounded) {
    checkFiles(context, settings, sources)
    if (context.values['mount-path'] !== noMount) {
      checkReaders(context, settings, user)
      checkKeys(context, settings)
    }
    checkFormats(settings, sources, diagnostics)
  }
  const least = Object.values(settings.templates).reduce((sum, text) => sum + text.length, 0)
  const encoded = isBounded && least <= maxEncodedSettings ? encodeSettings(settings) : ''
  const fits = checkSize(Math.max(least, encoded.length), diagnostics)
  if (isBounded && fits) checkContents(settings, templates, complete, diagnostics)
  return encoded
}

/** Limit of templates and bundles of one pod together. */
const maxTexts = 100

/** Returns whether the numbers of objects, files, templates and bundles are within their limits. */
function checkCounts({ objects, templates, bundles }: Settings, diagnostics: Diagnostics): boolean {
  const texts = Object.keys(templates).length + Object.keys(bundles).length
  const problems = [
    tooMany(objects),
    texts > maxTexts
      ? `${texts} templates and bundles are more than a pod may have, ${maxTexts}: split the pod`
      : undefined,
  ].filter((problem) => problem !== undefined)
  diagnostics.problem('too-large', ...problems)
  return problems.length === 0
}

/** Checks files across annotations: `objects` was checked on its own, but templates and bundles write into the same folder. */
function checkFiles(
  { values, diagnostics }: PlanContext,
  settings: Settings,
  sources: ReadonlyMap<ObjectSpec, string>,
): void {
  for (const kind of ['templates', 'bundles'] as const) {
    for (const path of Object.keys(values.objects?.[kind] ?? {})) {
      if (Object.hasOwn(values[kind] ?? {}, path))
        diagnostics.problem(
          'bad-annotation',
          `${kind}: "${path}" is in the annotation objects and in an annotation of its own: remove one of them`,
        )
    }
  }
  const nameOf = (object: ObjectSpec): string => [objectName(object), sources.get(object)].filter(Boolean).join(' of ')
  diagnostics.problem('bad-annotation', ...treeProblems(plannedFiles(settings, nameOf)))
}

/**
 * Checks that templates and bundles refer to objects that exist.
 * @param complete false if objects may be missing: a template that names an unknown object is then not a problem
 */
function checkContents(
  settings: Settings,
  read: ReadonlyMap<string, TemplateUses>,
  complete: boolean,
  diagnostics: Diagnostics,
): void {
  const effort = new TemplateEffort()
  const groups = emptyGroups(settings.find?.finds)
  for (const [path, text] of Object.entries(settings.templates)) {
    const uses = read.get(text) ?? templateUses(text, effort)
    const found = templateProblems(uses, complete ? settings.objects : undefined, groups.groups)
    diagnostics.problem('bad-annotation', ...found.map((problem) => `template "${path}", ${problem}`))
  }
  // Bundles of the same format have the same problem.
  const known = new Map<string, string[]>()
  for (const [path, bundle] of Object.entries(settings.bundles)) {
    const key = JSON.stringify(bundle)
    if (!known.has(key)) {
      const { members, problems } = membersOf(bundle, settings.objects, complete, groups)
      known.set(key, problems)
      warnOfBinary(path, [...members.values()], diagnostics)
    }
    const problems = known.get(key) ?? []
    diagnostics.problem('bad-annotation', ...problems.map((problem) => `bundle "${path}": ${problem}`))
  }
}

/** Warns of a secret that the sidecar cannot write into a bundle, because it is not text. */
function warnOfBinary(path: string, members: readonly ObjectSpec[], diagnostics: Diagnostics): void {
  const binary = members.find(
    ({ format, encoding }) => format === 'truststore' || (format === 'pfx' && encoding === 'base64'),
  )
  if (binary === undefined) return
  const name = quote(memberName(binary, members))
  diagnostics.warn(
    'binary-in-bundle',
    `leave ${name} out of bundle ${quote(path)} with except, or list the others in only: it is a binary PKCS#12 file, and a bundle contains only text`,
  )
}

/** PKCS#12 is binary, but without an encoding its base64 text is written, as the provider of the Secrets Store CSI driver does. */
function checkFormats(settings: Settings, sources: ReadonlyMap<ObjectSpec, string>, diagnostics: Diagnostics): void {
  const asText = requestsOf(settings).filter(({ format, encoding }) => format === 'pfx' && encoding === 'utf-8')
  for (const object of asText) {
    const spelled = sources.has(object as ObjectSpec) ? 'objectEncoding' : 'encoding'
    diagnostics.warn(
      'pfx-as-text',
      `set ${spelled}: base64 for a binary file: ${object.path} has format pfx, which is written as base64 text`,
    )
  }
}

/** Returns whether the encoded settings fit into the sidecar's environment. */
function checkSize(size: number, diagnostics: Diagnostics): boolean {
  if (size <= maxEncodedSettings) return true
  diagnostics.problem(
    'too-large',
    `objects, templates and certificates take ${Math.ceil(size / 1024)} KiB of the sidecar's settings, and ${maxEncodedSettings / 1024} KiB fit: shorten templates or split the pod's objects`,
  )
  return false
}
