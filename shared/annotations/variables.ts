import { didYouMean, quote } from '../messages.ts'
import { fail, ok, type Result } from '../result.ts'
import { maxVariables, variablePattern } from '../variables.ts'
import { maxValue, tooLong } from './parsers.ts'

/** An entry of the annotation `env`: a variable and the object that it is read from. */
export interface VariableRequest {
  name: string
  /** An object's name, `type/name` or path, or `template:<path>`. */
  source: string
}

/** Begins the source of a variable that is the output of a template. */
export const templateSource = 'template:'

/** Reads the annotation `env`: entries `NAME=object`, separated by commas or lines. */
export function parseVariables(text: string): Result<VariableRequest[]> {
  if (text.length > maxValue) return fail(tooLong(text))
  const items = text
    .split(/[,\n]/)
    .map((item) => item.trim())
    .filter((item) => item !== '')
  if (items.length === 0) return fail('is empty: list variables as NAME=object, or remove the annotation')
  if (items.length > maxVariables) return fail(`${items.length} are more than ${maxVariables} variables`)
  const problems: string[] = []
  const known = new Set<string>()
  const variables = items.flatMap((item) => {
    const parsed = parseVariable(item)
    if (parsed.ok && known.has(parsed.value.name)) problems.push(`${parsed.value.name} is listed twice`)
    if (!parsed.ok) problems.push(...parsed.problems)
    else known.add(parsed.value.name)
    return parsed.ok ? [parsed.value] : []
  })
  return problems.length > 0 ? fail(...problems) : ok(variables)
}

function parseVariable(item: string): Result<VariableRequest> {
  const at = item.indexOf('=')
  const [name, source] = at === -1 ? [item, ''] : [item.slice(0, at).trim(), item.slice(at + 1).trim()]
  if (source === '') return fail(`entry ${quote(item)}: expected NAME=object, such as DB_PASSWORD=db-password`)
  if (!variablePattern.test(name)) {
    const better = name
      .toUpperCase()
      .replace(/[^A-Z0-9_]/g, '_')
      .replace(/^\d/, '_$&')
    return fail(
      `entry ${quote(item)}: a name of a variable has at most 256 letters, digits and underscores, and no digit first${didYouMean(name, [better])}`,
    )
  }
  return ok({ name, source })
}
