import { program } from './names.ts'
import type { WantedSecret } from './secret.ts'

/** An entry of `metadata.managedFields`: who manages which fields. {@link https://kubernetes.io/docs/reference/using-api/server-side-apply/} */
export interface ManagedFields {
  manager?: string
  operation?: string
  apiVersion?: string
  time?: string
  fieldsType?: string
  fieldsV1?: object
  subresource?: string
}

/** The metadata of a Secret that is taken over. */
export interface Adopted {
  resourceVersion?: string
  labels?: Readonly<Record<string, string>>
  annotations?: Readonly<Record<string, string>>
  managedFields?: readonly ManagedFields[]
}

/** What makes a Secret the program's. */
export type Claimed = Pick<WantedSecret, 'labels' | 'annotations' | 'owners'>

/** The field manager of the CSI driver is the name of its binary. */
const driver = /^secrets-store-csi/

/**
 * Returns a JSON Patch that makes the fields of the CSI driver those of this program, as if the program had applied them, and claims the
 * Secret. The next apply then replaces them without `force`, and still conflicts with the fields of anybody else. It fails if the Secret has
 * changed meanwhile. {@link releasePatch} has to follow.
 */
export function adoptPatch(
  { resourceVersion = '', labels = {}, annotations = {}, managedFields = [] }: Adopted,
  claimed: Claimed,
): object[] {
  return [
    replace('resourceVersion', resourceVersion),
    add('labels', { ...labels, ...claimed.labels }),
    add('annotations', { ...annotations, ...claimed.annotations }),
    add('ownerReferences', claimed.owners),
    ...managedFields.flatMap(({ manager = '', operation }, index) =>
      driver.test(manager) && operation === 'Update'
        ? [replace(`managedFields/${index}/manager`, program), replace(`managedFields/${index}/operation`, 'Apply')]
        : [],
    ),
  ]
}

/** Whether an entry has the fields that {@link adoptPatch} itself changed. Everything else is applied. */
export const isClaim = ({ manager, operation }: ManagedFields): boolean => manager === program && operation === 'Update'

/** Returns a JSON Patch after which no fields are those that {@link adoptPatch} itself changed: an apply would conflict with them. */
export const releasePatch = ({ resourceVersion = '', managedFields = [] }: Adopted): object[] => [
  replace('resourceVersion', resourceVersion),
  ...[...managedFields.entries()]
    .filter(([, entry]) => isClaim(entry))
    // From the end, so that the positions of the others stay.
    .reverse()
    .map(([index]) => ({ op: 'remove', path: `/metadata/managedFields/${index}` })),
]

const replace = (field: string, value: unknown) => ({ op: 'replace', path: `/metadata/${field}`, value })
const add = (field: string, value: unknown) => ({ op: 'add', path: `/metadata/${field}`, value })
