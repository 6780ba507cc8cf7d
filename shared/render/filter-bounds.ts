import type { Context, Liquid } from 'liquidjs'
import { RenderFailure } from './rendered.ts'

/*
 * Limits of what filters take. A filter runs to its end, and the sidecar answers no probe meanwhile, so no value of a
 * vault may make it slow. A secret of Key Vault has at most 25,000 characters.
 */
/** Limit in UTF-16 units of a text that a filter gets. */
export const mostCharacters = 256 * 1024
/**
 * Limit of the items of a list that a filter gets: some filters compare each item with the others, or evaluate an
 * expression for each.
 */
export const mostItems = 10_000
/** Searching one text in another takes, at worst, time proportional to the product of their lengths. */
const mostCompared = 16 * 1024 * 1024

/** Items of a list, multiplied by the UTF-16 units of an expression that is evaluated for each. */
const mostEvaluated = 128 * 1024
/** Filters whose last argument is such an expression. */
const evaluating = new Set(['where_exp', 'reject_exp', 'group_by_exp', 'has_exp', 'find_exp', 'find_index_exp'])

/** Filters that search the text for their first argument. */
const searching = new Set([
  'remove',
  'remove_first',
  'remove_last',
  'replace',
  'replace_first',
  'replace_last',
  'split',
])

/** @throws {@link RenderFailure} if a filter gets more than its limits */
export function checkFilter(name: string, [value, ...others]: readonly unknown[]): void {
  for (const given of [value, ...others]) {
    if (typeof given === 'string' && given.length > mostCharacters)
      throw new RenderFailure(
        `the filter ${name} is given ${given.length} characters, and at most ${mostCharacters} are read`,
      )
    if (Array.isArray(given) && given.length > mostItems)
      throw new RenderFailure(`the filter ${name} is given ${given.length} items, and at most ${mostItems} are read`)
  }
  if (searching.has(name)) checkSearch(`the filter ${name}`, value, others[0])
  if (evaluating.has(name)) checkExpression(name, value, others.at(-1))
}

function checkExpression(name: string, list: unknown, expression: unknown): void {
  const items = Array.isArray(list) ? list.length : 1
  const length = String(expression).length
  if (items * length <= mostEvaluated) return
  throw new RenderFailure(
    `the filter ${name} evaluates ${length} characters for ${items} items, and the product of both may be ${mostEvaluated} at most`,
  )
}

/** Limits what the operator `contains` compares. */
export function boundContains({ options }: Liquid): void {
  const contains = options.operators['contains'] as (text: unknown, part: unknown, context: Context) => unknown
  const bounded: typeof contains = (text, part, context) => {
    checkSearch('the operator contains', text, part)
    return contains(text, part, context)
  }
  options.operators = { ...options.operators, contains: bounded as Liquid['options']['operators'][string] }
}

function checkSearch(what: string, text: unknown, part: unknown): void {
  const [within, wanted] = [lengthOf(text), lengthOf(part)]
  if (within * wanted <= mostCompared) return
  throw new RenderFailure(
    `${what} looks for ${wanted} characters in ${within}, and the product of both may be ${mostCompared} at most`,
  )
}

/** Returns the UTF-16 units of a text, or of all texts of a list, which the library joins. */
const lengthOf = (value: unknown): number =>
  typeof value === 'string'
    ? value.length
    : Array.isArray(value)
      ? value.reduce<number>((sum, item) => sum + lengthOf(item), 0)
      : 0
