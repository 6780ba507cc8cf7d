import type { Manifest } from '../../manifests/rendered.ts'

/** What a SubjectAccessReview asks about. */
export interface Attributes {
  verb: string
  group: string
  resource: string
  namespace?: string
  name?: string
}

interface Rule {
  apiGroups: string[]
  resources: string[]
  resourceNames?: string[]
  verbs: string[]
}
interface BindingManifest extends Manifest {
  roleRef: { kind: string; name: string }
  subjects: { name: string; namespace: string }[]
}

/** Decides as the API server's RBAC authorizer, from the Roles and bindings among the objects. */
export function isAllowed(objects: readonly Manifest[], user: string, asked: Attributes): boolean {
  const bindings = objects.filter(({ kind }) => kind.endsWith('RoleBinding')) as BindingManifest[]
  return bindings
    .filter(({ subjects }) => subjects.some((one) => user === `system:serviceaccount:${one.namespace}:${one.name}`))
    .filter(({ kind, metadata }) => kind === 'ClusterRoleBinding' || metadata.namespace === asked.namespace)
    .flatMap(({ roleRef }) =>
      objects.filter(({ kind, metadata }) => kind === roleRef.kind && metadata.name === roleRef.name),
    )
    .flatMap((role) => role['rules'] as Rule[])
    .some((rule) => allows(rule, asked))
}

const allows = (
  { apiGroups, resources, resourceNames, verbs }: Rule,
  { verb, group, resource, name }: Attributes,
): boolean =>
  apiGroups.includes(group) &&
  resources.includes(resource) &&
  verbs.includes(verb) &&
  (resourceNames === undefined || resourceNames.includes(name ?? ''))
