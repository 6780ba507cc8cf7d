import type { Test } from 'tap'
import { checkAvailability } from './availability-invariants.ts'
import { nameOf, ofKind } from './manifest-fields.ts'
import { checkPermissions } from './permission-invariants.ts'
import type { Manifest } from './rendered.ts'
import { checkWebhooks } from './webhook-invariants.ts'

/** The kinds without a namespace, of those that the manifests use. */
const clusterWide = [
  'Namespace',
  'ClusterRole',
  'ClusterRoleBinding',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
]

/** Checks what must hold for the manifests of the base and of every rendered overlay. */
export function checkInvariants(t: Test, all: readonly Manifest[], { namespace }: { namespace: string }): void {
  const ids = all.map((one) => `${nameOf(one)} in ${one.metadata.namespace ?? ''}`)
  t.strictSame(ids.toSorted(), [...new Set(ids)].sort(), 'no object appears twice')
  for (const one of all.filter(({ kind }) => !clusterWide.includes(kind)))
    t.ok(one.metadata.namespace, `${nameOf(one)} names its namespace`)
  for (const { subjects } of ofKind(all, 'RoleBinding', 'ClusterRoleBinding') as (Manifest & {
    subjects: { namespace?: string }[]
  })[])
    t.ok(
      subjects.every((subject) => subject.namespace),
      'a subject names its namespace',
    )
  checkWebhooks(t, all, namespace)
  checkAvailability(t, all)
  checkPermissions(t, all)
}
