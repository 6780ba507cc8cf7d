import type { RandomInteger } from '../support/seeded-random.ts'

const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`

/** Values, as JSON, that are seldom thought of. */
const hostile = [
  'null',
  'true',
  'false',
  '0',
  '-1',
  '1e308',
  '0.1',
  '""',
  '[]',
  '{}',
  '[null]',
  '[[]]',
  '{"":""}',
  '{"__proto__":{"a":1}}',
  '{"constructor":{"prototype":{}}}',
  '"\\u0000"',
  '"\\ud800"',
  '"\\u202e"',
  '"%s$(X)${x}{{x}}"',
  '"../../etc/passwd"',
  '"https://user:x@evil.example"',
  '"- {a: [}"',
  '"&a [*a]"',
  '"true"',
  '"0"',
  `"${'x'.repeat(20_000)}"`,
  `"${'a,'.repeat(3_000)}"`,
  deep(1_000),
  '"akv-injector"',
  '"akv-injector-env"',
  '{"fileKeyRef":{"volumeName":"akv-injector-secrets"}}',
  '"A=a,B=template:b,__proto__=c"',
  '"akv-injector-secrets"',
  '"/mnt/secrets"',
  '"Always"',
  '"windows"',
  '"1e9999"',
].map((text) => () => JSON.parse(text) as unknown)

const keys = [
  '__proto__',
  'constructor',
  'toString',
  '',
  'name',
  'annotations',
  'azure.keyvault.injector/objects',
  'azure.keyvault.injector/env',
  'azure.keyvault.injector/x',
  'valueFrom',
  'fileKeyRef',
  'initContainers',
  'resources',
  'env',
]

type Parent = Record<string, unknown>

/** A review as JSON with one to four things wrong in it; one in twenty is not even JSON any more. */
export function mutate(text: string, other: string, random: RandomInteger): string {
  const root = { review: JSON.parse(text) as unknown }
  for (let changes = 1 + random(4); changes > 0; changes--) change(root, other, random)
  const body = JSON.stringify(root.review) ?? ''
  return random(20) === 0 ? spoil(body, random) : body
}

function change(root: Parent, other: string, random: RandomInteger): void {
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

const pick = <T>(list: readonly T[], random: RandomInteger): T => list[random(list.length)]!

/** An own property, whatever its name. */
const define = (parent: Parent, key: string, value: unknown): unknown =>
  Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true })

/** A place in a tree: often near its leaves. */
function somewhere(root: Parent, random: RandomInteger): [parent: Parent, key: string] {
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
function spoil(text: string, random: RandomInteger): string {
  const from = random(text.length + 1)
  const to = from + random(8)
  const instead = ['', '\u0000', '"', '}', text.slice(from, from + 20), ',', '\\', 'é'][random(8)] ?? ''
  return text.slice(0, from) + instead + text.slice(to)
}
