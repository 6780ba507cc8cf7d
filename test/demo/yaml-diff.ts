import { isDeepStrictEqual } from 'node:util'
import { Document, isCollection, visit } from 'yaml'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type JsonObject = { [key: string]: Json }

/** What `after` has that `before` has not: list items are compared by name, and long texts are cut. */
export function additions(before: Json, after: Json): Json | undefined {
  if (isDeepStrictEqual(before, after)) return undefined
  if (Array.isArray(after)) return additionsToList(Array.isArray(before) ? before : [], after)
  if (!isObject(after)) return typeof after === 'string' ? cut(after) : after
  const known = isObject(before) ? before : {}
  const entries = Object.entries(after).map(([key, value]) => [key, additions(known[key] ?? null, value)] as const)
  return Object.fromEntries(entries.filter((entry): entry is [string, Json] => entry[1] !== undefined))
}

function additionsToList(before: Json[], after: Json[]): Json[] {
  return after.flatMap((item) => {
    if (before.some((known) => isDeepStrictEqual(known, item))) return []
    const name = isObject(item) ? item['name'] : undefined
    const known = before.find((one) => isObject(one) && name !== undefined && one['name'] === name)
    const rest = additions(known ?? null, item)
    if (rest === undefined) return []
    return [known !== undefined && isObject(rest) ? { name: name ?? null, ...rest } : rest]
  })
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const cut = (text: string): string => (text.length > 80 ? `${text.slice(0, 40)}... (${text.length} characters)` : text)

/** Prints YAML that is short to read: everything that fits is on one line. */
export function shortYaml(value: Json): string {
  const document = new Document(value)
  visit(document, {
    Collection(_key, node) {
      if (isCollection(node) && JSON.stringify(node).length < 90) node.flow = true
    },
  })
  return document.toString({ lineWidth: 110, flowCollectionPadding: true }).trimEnd()
}
