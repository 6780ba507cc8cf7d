import type { Container, Pod } from './pod/pod.ts'

/** {@link https://www.rfc-editor.org/rfc/rfc6902#section-4}, as far as it is used here. */
export type Operation = { op: 'add' | 'replace'; path: string; value: unknown } | { op: 'remove'; path: string }

/**
 * The JSON Patch that turns the pod received into the desired one; its values are the desired pod's own, not copies. Lists are
 * compared by place, so a container inserted before others would rewrite each of them: what was inserted among the init
 * containers is added first, and only the rest compared.
 */
export function patchOf(received: Pod, desired: Pod): Operation[] {
  const before = received.spec.initContainers
  const after = desired.spec.initContainers
  if (before === undefined || before.length === 0 || after === undefined)
    return differences({ ...received }, { ...desired })
  const names = new Set(before.map(({ name }) => name))
  const aligned: Container[] = [...before]
  const insertions: Operation[] = []
  for (const [index, container] of after.entries()) {
    if (names.has(container.name)) continue
    aligned.splice(index, 0, container)
    insertions.push({ op: 'add', path: `/spec/initContainers/${index}`, value: container })
  }
  const withInsertions = { ...received, spec: { ...received.spec, initContainers: aligned } }
  return [...insertions, ...differences(withInsertions, { ...desired })]
}

/** What is in both as the same object, which is most of a pod, is not looked into. A field that is undefined counts as absent. */
function differences(before: Fields, after: Fields, path = ''): Operation[] {
  const operations: Operation[] = []
  // Backwards, so that what is taken off a list's end leaves the places before it as they are.
  for (const key of Object.keys(before).reverse()) {
    const old = before[key]
    const wanted = Object.hasOwn(after, key) ? after[key] : undefined
    if (old === wanted || old === undefined) continue
    const place = `${path}/${escaped(key)}`
    if (wanted === undefined) operations.push({ op: 'remove', path: place })
    else if (isObject(old) && isObject(wanted) && Array.isArray(old) === Array.isArray(wanted))
      operations.push(...differences(old, wanted, place))
    else operations.push({ op: 'replace', path: place, value: wanted })
  }
  for (const [key, value] of Object.entries(after)) {
    const isNew = value !== undefined && (!Object.hasOwn(before, key) || before[key] === undefined)
    if (isNew) operations.push({ op: 'add', path: `${path}/${escaped(key)}`, value })
  }
  return operations
}

type Fields = Readonly<Record<string, unknown>>

/** {@link https://www.rfc-editor.org/rfc/rfc6901#section-3} */
const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null
