import { combinationProblems, filesOf, objectName, tooMany, type ObjectSpec } from './object-spec.ts'
import { fail, ok, type Parsed } from './parsed.ts'
import { pathProblem, treeProblems } from './paths.ts'
import type { Settings } from './settings-schema.ts'

/** The JSON of encoded settings, whatever it holds. */
export function parseSettings(encoded: string): Parsed<unknown> {
  try {
    return ok(JSON.parse(Buffer.from(encoded, 'base64url').toString()))
  } catch {
    return fail('the settings are not base64url of JSON')
  }
}

/** Holds settings that fit the schema against what it cannot say: references, paths and files that clash. */
export function checkRules(settings: Settings): Parsed<Settings> {
  const tooLarge = tooMany(settings.objects)
  if (tooLarge !== undefined) return fail(tooLarge)
  const problems: string[] = []
  for (const { cloud } of settings.identities) {
    if (!Object.hasOwn(settings.clouds, cloud)) problems.push(`identities: there is no cloud "${cloud}"`)
  }
  for (const object of settings.objects) {
    if (object.identity >= settings.identities.length)
      problems.push(`${objectName(object)}: there is no identity ${object.identity}`)
    problems.push(...combinationProblems(object).map((problem) => `${objectName(object)}: ${problem}`))
  }
  const files = plannedFiles(settings)
  for (const { path, source } of files) {
    const problem = pathProblem(path)
    if (problem !== undefined) problems.push(`${source}: ${problem}`)
  }
  problems.push(...treeProblems(files))
  return problems.length > 0 ? fail(...problems) : ok(settings)
}

/** Every file that a pod with these settings may get. `nameOf` is how messages name an object. */
export const plannedFiles = (
  { objects, templates, bundles }: Pick<Settings, 'objects' | 'templates' | 'bundles'>,
  nameOf: (object: ObjectSpec) => string = objectName,
) => [
  ...objects.flatMap((object) => filesOf(object).map((path) => ({ path, source: nameOf(object) }))),
  ...Object.keys(templates).map((path) => ({ path, source: `template "${path}"` })),
  ...Object.keys(bundles).map((path) => ({ path, source: `bundle "${path}"` })),
]
