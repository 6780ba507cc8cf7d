import type { Attributes, PathAttributes } from '../../../cli/check/permissions.ts'
import type { Manifest } from '../../manifests/rendered.ts'

/** What a SubjectAccessReview asks. */
export interface ReviewSpec {
  user: string
  groups: string[]
  resourceAttributes?: Attributes
  nonResourceAttributes?: PathAttributes
}

interface Rule {
  apiGroups?: string[]
  resources?: string[]
  resourceNames?: string[]
  nonResourceURLs?: string[]
  verbs: string[]
}
interface BindingManifest extends Manifest {
  roleRef: { kind: string; name: string }
  subjects: { kind: string; name: string; namespace: string }[]
}

/** Decides as the API server's RBAC authorizer, from the Roles and bindings among the objects. */
export function isAllowed(objects: readonly Manifest[], spec: ReviewSpec): boolean {
  const asked = spec.resourceAttributes ?? spec.nonResourceAttributes
  if (asked === undefined) return false
  const within = 'path' in asked ? undefined : asked.namespace
  const isMeant = ({ kind, name, namespace }: BindingManifest['subjects'][number]): boolean =>
    kind === 'Group' ? spec.groups.includes(name) : spec.user === `system:serviceaccount:${namespace}:${name}`
  const bindings = objects.filter(({ kind }) => kind.endsWith('RoleBinding')) as BindingManifest[]
  return bindings
    .filter(({ subjects }) => subjects.some(isMeant))
    .filter(({ kind, metadata }) => kind === 'ClusterRoleBinding' || metadata.namespace === within)
    .flatMap(({ roleRef }) =>
      objects.filter(({ kind, metadata }) => kind === roleRef.kind && metadata.name === roleRef.name),
    )
    .flatMap((role) => role['rules'] as Rule[])
    .some((rule) => allows(rule, asked))
}

function allows(rule: Rule, asked: Attributes | PathAttributes): boolean {
  const { apiGroups = [], resources = [], resourceNames, nonResourceURLs = [], verbs } = rule
  if (!verbs.includes(asked.verb)) return false
  if ('path' in asked) return nonResourceURLs.includes(asked.path)
  const { group, resource, name = '' } = asked
  return apiGroups.includes(group) && resources.includes(resource) && (resourceNames?.includes(name) ?? true)
}
