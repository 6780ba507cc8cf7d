import jsonPatch, { type Operation as JsonPatchOperation } from 'fast-json-patch'
import { withSpec, type Container, type Pod } from '../pod/pod.ts'

/** {@link https://www.rfc-editor.org/rfc/rfc6902#section-4}: the operations that the webhook uses. */
export type Operation = { op: 'add' | 'replace'; path: string; value: unknown } | { op: 'remove'; path: string }

/**
 * Returns the JSON Patch that turns the received pod into the desired one. The library compares lists by index, so an item inserted before
 * others would rewrite each of them. Therefore init containers and variables that come first are added first, and only the rest is compared.
 */
export function patchOf(received: Pod, desired: Pod): Operation[] {
  const { pod, insertions } = withContainers(received, desired)
  const init = withEnvironments('initContainers', pod, desired)
  const apps = withEnvironments('containers', init.pod, desired)
  return [...insertions, ...init.insertions, ...apps.insertions, ...differences(apps.pod, desired)]
}

/** Returns the pod with the init containers that the desired one has in addition, and the operations that insert them. */
function withContainers(received: Pod, desired: Pod): { pod: Pod; insertions: Operation[] } {
  const before = received.spec.initContainers
  const after = desired.spec.initContainers
  if (before === undefined || before.length === 0 || after === undefined) return { pod: received, insertions: [] }
  const names = new Set(before.map(({ name }) => name))
  const aligned: Container[] = [...before]
  const insertions: Operation[] = []
  for (const [index, container] of after.entries()) {
    if (names.has(container.name)) continue
    aligned.splice(index, 0, container)
    insertions.push({ op: 'add', path: `/spec/initContainers/${index}`, value: container })
  }
  return { pod: { ...received, spec: { ...received.spec, initContainers: aligned } }, insertions }
}

/** Returns the pod with the variables that desired containers have before their own, and the operations that insert these. */
function withEnvironments(
  list: 'initContainers' | 'containers',
  pod: Pod,
  desired: Pod,
): { pod: Pod; insertions: Operation[] } {
  const insertions: Operation[] = []
  const containers = (pod.spec[list] ?? []).map((container, index) => {
    const env = desired.spec[list]?.[index]?.env ?? []
    const own = container.env ?? []
    const added = env.slice(0, Math.max(0, env.length - own.length))
    const isPrefix = own.length > 0 && own.every((variable, at) => variable === env[added.length + at])
    if (!isPrefix || added.length === 0) return container
    const path = `/spec/${list}/${index}/env/0`
    insertions.push(...added.toReversed().map((value): Operation => ({ op: 'add', path, value })))
    return { ...container, env }
  })
  return { pod: insertions.length > 0 ? withSpec(pod, { [list]: containers }) : pod, insertions }
}

/** Undefined fields count as absent. */
const differences = (before: Pod, after: Pod): Operation[] =>
  jsonPatch
    .compare(before, after)
    .filter((operation): operation is Operation & JsonPatchOperation => operation.op !== 'test')
