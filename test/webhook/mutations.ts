/** A number from 0 on below `most`. */
export type Random = (most: number) => number

/** Numbers that the seed alone decides: mulberry32, which is small and good enough to pick by. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return (most) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * most)
  }
}

const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`

/** Values, as JSON, that are seldom thought of. */
const hostile = [
  'null', 'true', 'false', '0', '-1', '1e308', '0.1', '""', '[]', '{}', '[null]', '[[]]', '{"":""}', '{"__proto__":{"a":1}}', '{"constructor":{"prototype":{}}}',
  '"\\u0000"', '"\\ud800"', '"\\u202e"', '"%s$(X)${x}{{x}}"', '"../../etc/passwd"', '"https://user:x@evil.example"', '"- {a: [}"', '"&a [*a]"', '"true"', '"0"',
  `"${'x'.repeat(20_000)}"`, `"${'a,'.repeat(3_000)}"`, deep(1_000), '"akv-injector"', '"akv-injector-secrets"', '"/mnt/secrets"', '"Always"', '"windows"', '"1e9999"',
].map((text) => () => JSON.parse(text) as unknown) // prettier-ignore

const keys = ['__proto__', 'constructor', 'toString', '', 'name', 'annotations', 'azure.keyvault.injector/objects', 'azure.keyvault.injector/x', 'initContainers', 'resources', 'env'] // prettier-ignore

type Parent = Record<string, unknown>

/** A review as JSON with one to four things wrong in it; one in twenty is not even JSON any more. */
export function mutate(text: string, other: string, random: Random): string {
  const root = { review: JSON.parse(text) as unknown }
  for (let changes = 1 + random(4); changes > 0; changes--) change(root, other, random)
  const body = JSON.stringify(root.review) ?? ''
  return random(20) === 0 ? spoil(body, random) : body
}

function change(root: Parent, other: string, random: Random): void {
  // What is around the pod has few places, and with one of them wrong the pod is not looked at.
  const pod = (root['review'] as { request?: Parent } | null)?.request
  const inside = typeof pod?.['object'] === 'object' && pod['object'] !== null && random(12) !== 0
  const [parent, key] = somewhere(inside ? (pod['object'] as Parent) : root, random)
  const value = parent[key]
  switch (random(6)) {
    case 0:
      if (Array.isArray(parent)) parent.splice(Number(key), 1)
      else delete parent[key]
      break
    case 1:
      if (Array.isArray(parent)) parent.push(value)
      else define(parent, keys[random(keys.length)]!, pick(hostile, random)())
      break
    case 2: {
      const [from, name] = somewhere({ review: JSON.parse(other) as unknown }, random)
      define(parent, key, from[name])
      break
    }
    case 3:
      define(parent, key, typeof value === 'string' ? spoil(value, random) : pick(hostile, random)())
      break
    default:
      define(parent, key, pick(hostile, random)())
  }
}

const pick = <T>(list: readonly T[], random: Random): T => list[random(list.length)]!

/** An own property, whatever its name. */
const define = (parent: Parent, key: string, value: unknown): unknown =>
  Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true })

/** A place in a tree: often near its leaves. */
function somewhere(root: Parent, random: Random): [parent: Parent, key: string] {
  let parent = root
  for (;;) {
    const names = Object.keys(parent)
    const key = names[random(names.length)] ?? '0'
    const value = parent[key]
    if (typeof value !== 'object' || value === null || random(8) === 0) return [parent, key]
    parent = value as Parent
  }
}

/** A text with some of it gone, doubled or replaced. */
function spoil(text: string, random: Random): string {
  const from = random(text.length + 1)
  const to = from + random(8)
  const instead = ['', '\u0000', '"', '}', text.slice(from, from + 20), ',', '\\', 'é'][random(8)] ?? ''
  return text.slice(0, from) + instead + text.slice(to)
}
