import { stringify } from 'yaml'
import { program } from './names.ts'
import { readSecretObjects } from './secret-objects.ts'

/** What a Role for one class refers to. */
export interface RoleInputs {
  namespace: string
  /** The class's. */
  name: string
  serviceAccount: string
  /** Names of the Secrets that the class lists. */
  secrets: readonly string[]
  /** The namespace of the program. */
  programNamespace: string
  /**
   * Whether to add `delete` on the Secrets, which the admission plugin OwnerReferencesPermissionEnforcement requires of who changes an owner.
   * The program deletes nothing, and the policy `akv-injector-sync-secrets` does not let it.
   */
  allowDelete?: boolean
}

/**
 * Returns the Role and the RoleBinding that a class needs, and no right that it does not need: the one ServiceAccount and its token, and the
 * Secrets by name. A server-side apply, which is a PATCH, needs `create` for a Secret that does not exist, and obeys `resourceNames`.
 */
export function roleOf(inputs: RoleInputs): [object, object] {
  const { namespace, name, serviceAccount, secrets, programNamespace, allowDelete = false } = inputs
  const metadata = { name: `${program}-${name}`.slice(0, 253), namespace }
  const group = 'rbac.authorization.k8s.io'
  const rule = (resource: string, resourceNames: readonly string[], verbs: string[]) => ({
    ...{ apiGroups: [''], resources: [resource], resourceNames, verbs },
  })
  const verbs = ['get', 'create', 'patch', ...(allowDelete ? ['delete'] : [])]
  return [
    {
      ...{ apiVersion: `${group}/v1`, kind: 'Role', metadata },
      rules: [
        rule('serviceaccounts', [serviceAccount], ['get']),
        rule('serviceaccounts/token', [serviceAccount], ['create']),
        // An empty list of names would mean every name.
        ...(secrets.length > 0 ? [rule('secrets', [...new Set(secrets)].sort(), verbs)] : []),
      ],
    },
    {
      ...{ apiVersion: `${group}/v1`, kind: 'RoleBinding', metadata },
      roleRef: { apiGroup: group, kind: 'Role', name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: program, namespace: programNamespace }],
    },
  ]
}

/** Prints {@link roleOf} as YAML for `kubectl apply -f -`. */
export const roleText = (inputs: RoleInputs): string =>
  roleOf(inputs)
    .map((object) => stringify(object, { collectionStyle: 'any', lineWidth: 0 }))
    .join('---\n')

/** The same in one line for an Event, whose message has space for 1,024 characters; undefined if there is no space. */
export function shortRoleText(inputs: RoleInputs, most: number): string | undefined {
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: roleOf(inputs) })
  return text.length <= most ? text : undefined
}

/** Returns the names of the Secrets that the `spec` of a class lists, without those that cannot be written. */
export const secretNames = (spec: unknown): string[] =>
  readSecretObjects((spec as { secretObjects?: unknown } | null | undefined)?.secretObjects).requests.map(
    ({ name }) => name,
  )
