import { memoize } from '../memoize.ts'
import { didYouMean, quote } from '../messages.ts'
import { parseObjects } from '../objects/parse.ts'
import { pathProblem } from '../paths.ts'
import { fail, ok, type Result } from '../result.ts'

/** Limit of containers and init containers of an injected pod, and of container names in an annotation. */
export const maxContainers = 500
/** Length limit of an annotation's value in UTF-16 units. */
export const maxValue = 96 * 1024

export const tooLong = ({ length }: string): string =>
  `the text has ${length} characters, and at most ${maxValue} are read: shorten it`

export const parseText = (text: string): Result<string> => (text === '' ? fail('is empty') : ok(text))

export function oneOf<const T extends string>(known: readonly T[]): (text: string) => Result<T> {
  return (text) => {
    const value = known.find((name) => name === text)
    return value === undefined ? fail(`expected one of ${known.join(', ')}${didYouMean(text, known)}`) : ok(value)
  }
}

export function matching(pattern: RegExp, expected: string): (text: string) => Result<string> {
  return (text) => (pattern.test(text) ? ok(text) : fail(`expected ${expected}`))
}

/** Reads names separated by commas or lines; `what` says what they name, in the plural. */
export function list(what: string, pattern: RegExp, most: number): (text: string) => Result<string[]> {
  return (text) => {
    if (text.length > maxValue) return fail(tooLong(text))
    const items = text
      .split(/[,\n]/)
      .map((item) => item.trim())
      .filter((item) => item !== '')
    if (items.length === 0) return fail(`is empty: list the names of ${what}, or remove the annotation`)
    if (items.length > most) return fail(`${items.length} are more than ${most} ${what}`)
    const wrong = items.filter((item) => !pattern.test(item))
    return wrong.length > 0 ? fail(...wrong.map((item) => `${quote(item)} is not a name of ${what}`)) : ok(items)
  }
}

export const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
export const dnsSubdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
export const parseGuid = matching(
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  'a GUID such as 00000000-0000-0000-0000-000000000000',
)
/** A quantity as in a container's `resources`. */
export const parseQuantity = matching(/^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/, 'a quantity such as 50m, 64Mi or 1')

export function parseUnixId(text: string): Result<number> {
  const id = Number(text)
  return /^\d+$/.test(text) && id <= 2147483647 ? ok(id) : fail('expected a numeric id from 0 to 2147483647')
}

/** The value of `mount-path` for pods in which no container gets the mount. */
export const noMount = 'none'

export function parseMountPath(path: string): Result<string> {
  if (path === noMount) return ok(path)
  if (!path.startsWith('/') || path === '/')
    return fail('expected an absolute path of a folder such as /mnt/secrets, or none')
  const problem = pathProblem(path.slice(1))
  if (problem !== undefined) return fail(problem)
  if (path.includes(':')) return fail('a mount path must not contain a colon')
  return ok(path)
}

/** Reads a URL on the loopback address, which stays inside the pod. */
export function parseNotifyUrl(text: string): Result<string> {
  const expected = 'expected http://localhost:PORT/... or http://127.0.0.1:PORT/...'
  if (!URL.canParse(text)) return fail(expected)
  const url = new URL(text)
  if (url.protocol !== 'http:' || !['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)) return fail(expected)
  if (url.username !== '' || url.password !== '') return fail('the URL must not contain a user name or password')
  return ok(url.href)
}

/** Reads how many pods may be unavailable at once, such as `1` or `25%`. */
export function parseMaxUnavailable(text: string): Result<{ count: number } | { percent: number }> {
  const [, digits = '', percent] = /^(\d{1,6})(%?)$/.exec(text) ?? []
  const value = Number(digits)
  if (digits === '' || value < 1 || (percent && value > 100))
    return fail('expected a number from 1 on, such as 1, or a percentage from 1% to 100%')
  return ok(percent ? { percent: value } : { count: value })
}

const rememberedObjects = memoize(parseObjects)

/** Reads the annotation `objects`. Results are kept, because the text may be long and is the same for all replicas of a workload. */
export const readObjects = (text: string) => (text.length > maxValue ? parseObjects(text) : rememberedObjects(text))
