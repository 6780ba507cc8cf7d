import { isDeepStrictEqual } from 'node:util'
import { isCollection, isSeq, type Document } from 'yaml'
import { patchOf, type Operation } from '../webhook/inject/patch.ts'
import type { Pod } from '../webhook/pod/pod.ts'
import { asReceived } from './documents.ts'

/** Changes a pod in a document into the desired one, and keeps comments and the order of fields where possible. */
export function applyChange(document: Document, path: readonly (string | number)[], pod: Pod, desired: Pod): void {
  try {
    for (const operation of patchOf(pod, desired)) applyOperation(document, path, operation)
  } catch {
    // Fields that a patch does not reach are written as a whole below.
  }
  const wanted = JSON.parse(JSON.stringify(desired)) as Pod
  if (isDeepStrictEqual(valueAt(document, path), wanted)) return
  for (const field of ['metadata', 'spec'] as const) {
    if (wanted[field] !== undefined) document.setIn([...path, field], document.createNode(wanted[field]))
  }
}

const valueAt = (document: Document, path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>(
    (at, field) => (at as Record<string | number, unknown> | null | undefined)?.[field],
    asReceived(document.toJS()),
  )

/** {@link https://www.rfc-editor.org/rfc/rfc6901} */
const fieldsOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((field) => field.replaceAll('~1', '/').replaceAll('~0', '~'))

function applyOperation(document: Document, path: readonly (string | number)[], operation: Operation): void {
  const fields: (string | number)[] = [...path]
  for (const field of fieldsOf(operation.path)) {
    const parent = document.getIn(fields, true)
    fields.push(isSeq(parent) && field !== '-' ? Number(field) : field)
  }
  const parent = document.getIn(fields.slice(0, -1), true)
  const last = fields.at(-1) ?? ''
  if (operation.op === 'remove') return void document.deleteIn(fields)
  // Otherwise the patch and the document would share one value.
  const node = document.createNode(JSON.parse(JSON.stringify(operation.value)))
  if (operation.op === 'add' && isSeq(parent)) {
    parent.items.splice(last === '-' ? parent.items.length : Number(last), 0, node)
  } else if (isCollection(parent)) parent.set(last, node)
  else throw new TypeError(`${operation.path}: nothing to add to`)
}

/** Returns the text itself if nothing changed, so that its layout stays. */
export function printed(text: string, documents: readonly Document[], changed: ReadonlySet<Document>): string {
  if (changed.size === 0) return text
  // As in the text: `- item` below its key, or indented.
  const options = { lineWidth: 0, indentSeq: !/^( *)[\w.-]+:\n\1- /m.test(text) }
  return documents
    .map((document) => document.toString(options))
    .map((one, index) => (index > 0 && !one.startsWith('---') ? `---\n${one}` : one))
    .join('')
}
