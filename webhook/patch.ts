import jsonPatch, { type Operation as JsonPatchOperation } from 'fast-json-patch'
import type { Container, Pod } from './pod/pod.ts'

/** {@link https://www.rfc-editor.org/rfc/rfc6902#section-4}, as far as it is used here. */
export type Operation = { op: 'add' | 'replace'; path: string; value: unknown } | { op: 'remove'; path: string }

/**
 * The JSON Patch that turns the pod received into the desired one. The library compares lists by place, so a container inserted
 * before others would rewrite each of them: what was inserted among the init containers is added first, and only the rest compared.
 */
export function patchOf(received: Pod, desired: Pod): Operation[] {
  const before = received.spec.initContainers
  const after = desired.spec.initContainers
  if (before === undefined || before.length === 0 || after === undefined) return differences(received, desired)
  const names = new Set(before.map(({ name }) => name))
  const aligned: Container[] = [...before]
  const insertions: Operation[] = []
  for (const [index, container] of after.entries()) {
    if (names.has(container.name)) continue
    aligned.splice(index, 0, container)
    insertions.push({ op: 'add', path: `/spec/initContainers/${index}`, value: container })
  }
  const withInsertions = { ...received, spec: { ...received.spec, initContainers: aligned } }
  return [...insertions, ...differences(withInsertions, desired)]
}

/** A field that is undefined counts as absent. */
const differences = (before: Pod, after: Pod): Operation[] =>
  jsonPatch
    .compare(before, after)
    .filter((operation): operation is Operation & JsonPatchOperation => operation.op !== 'test')
