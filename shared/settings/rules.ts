import { filesOfFind, findName, matchPath } from '../objects/find.ts'
import { combinationProblems, filesOf, objectName, tooMany, type ObjectSpec } from '../objects/spec.ts'
import { quote } from '../messages.ts'
import { fail, ok, type Result } from '../result.ts'
import { pathProblem, treeProblems } from '../paths.ts'
import { maxVariables, variablePattern } from '../variables.ts'
import type { Settings } from './schema.ts'

/** Checks what the schema cannot express: references, paths and conflicting files. */
export function checkRules(settings: Settings): Result<Settings> {
  const tooLarge = tooMany(settings.objects)
  if (tooLarge !== undefined) return fail(tooLarge)
  const problems: string[] = []
  const finds = settings.find?.finds ?? []
  if (settings.objects.length + finds.length === 0) problems.push('objects: expected at least one object or find')
  for (const { cloud } of settings.identities) {
    if (!Object.hasOwn(settings.clouds, cloud)) problems.push(`identities: there is no cloud "${cloud}"`)
  }
  for (const object of settings.objects) {
    if (object.identity >= settings.identities.length)
      problems.push(`${objectName(object)}: there is no identity ${object.identity}`)
    problems.push(...combinationProblems(object).map((problem) => `${objectName(object)}: ${problem}`))
  }
  for (const find of finds) {
    const name = findName(find)
    if (find.identity >= settings.identities.length) problems.push(`${name}: there is no identity ${find.identity}`)
    problems.push(...combinationProblems(find).map((problem) => `${name}: ${problem}`))
    const problem = pathProblem(matchPath(find, 'x'))
    if (problem !== undefined) problems.push(`${name}: ${problem}`)
  }
  const files = plannedFiles(settings)
  for (const { path, source } of files) {
    const problem = pathProblem(path)
    if (problem !== undefined) problems.push(`${source}: ${problem}`)
  }
  problems.push(...treeProblems(files), ...variableProblems(settings))
  return problems.length > 0 ? fail(...problems) : ok(settings)
}

function variableProblems({ variables = {}, objects, templates }: Settings): string[] {
  const entries = Object.entries(variables)
  if (entries.length > maxVariables) return [`${entries.length} variables are more than ${maxVariables}`]
  const paths = new Set([...objects.map((object) => filesOf(object)[0]), ...Object.keys(templates)])
  return entries.flatMap(([name, path]) => [
    ...(variablePattern.test(name) ? [] : [`variables: invalid name ${quote(name)}`]),
    ...(paths.has(path) ? [] : [`variables, ${quote(name)}: there is no file ${quote(path)}`]),
  ])
}

/** Returns every file that is known to be one of a pod with these settings. `nameOf` returns how messages name an object. */
export const plannedFiles = (
  { objects, find, templates, bundles }: Pick<Settings, 'objects' | 'find' | 'templates' | 'bundles'>,
  nameOf: (object: ObjectSpec) => string = objectName,
) => [
  ...objects.flatMap((object) => filesOf(object).map((path) => ({ path, source: nameOf(object) }))),
  ...(find?.finds ?? []).flatMap(filesOfFind),
  ...Object.keys(templates).map((path) => ({ path, source: `template "${path}"` })),
  ...Object.keys(bundles).map((path) => ({ path, source: `bundle "${path}"` })),
]
