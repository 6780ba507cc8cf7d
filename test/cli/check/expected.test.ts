import { join } from 'node:path'
import t from 'tap'
import {
  expectedEntries,
  expectedPermissions,
  expectedPolicies,
  expectedSyncPermissions,
  expectedSyncPolicies,
} from '../../../cli/check/expected.ts'
import { nameOf, ofKind, rulesOf, type Webhook } from '../../manifests/manifest-fields.ts'
import { manifests, written, type Manifest } from '../../manifests/rendered.ts'

const base = written(join(manifests, 'base'))
const services = ofKind(base, 'Service').map(({ metadata }) => metadata.name)

void t.test('check: expects exactly the entries that the manifests register', async (t) => {
  for (const [kind, expected] of Object.entries(expectedEntries)) {
    const entries = ofKind(base, kind).flatMap((one) => one['webhooks'] as Webhook[])
    t.strictSame(
      entries.map(({ name, failurePolicy, clientConfig }) => ({
        label: name.split('.', 1)[0],
        failurePolicy,
        service: services.indexOf(clientConfig.service.name),
      })),
      expected,
      kind,
    )
  }
})

const sync = written(join(manifests, 'components/sync'))

const line = (verb: string, group: string, resource: string, isOwn: boolean, name = ''): string =>
  `${verb} ${resource}.${group}${isOwn ? ' in its namespace' : ''} ${name}`

/** Everything that Roles allow, a line for each verb; `named` says how a line shows names. */
const grantedBy = (objects: readonly Manifest[], named: (names: string) => string): string[] =>
  ofKind(objects, 'Role', 'ClusterRole').flatMap((role) =>
    rulesOf(role).flatMap(({ apiGroups, resources, resourceNames, verbs }) => {
      const name = resourceNames && named(resourceNames.join())
      return apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => line(verb, group, resource, role.kind === 'Role', name))),
      )
    }),
  )

void t.test('check: expects exactly the permissions that the manifests grant', async (t) => {
  const expected = expectedPermissions.map(({ verb, group, resource, scope, named }) =>
    line(verb, group, resource, scope === 'own', named && 'by name'),
  )
  t.strictSame(expected.toSorted(), grantedBy(base, () => 'by name').toSorted())
  const expectedOfSync = expectedSyncPermissions.map(({ verb, group, resource, scope, name }) =>
    line(verb, group, resource, scope === 'own', name),
  )
  t.strictSame(expectedOfSync.toSorted(), grantedBy(sync, (names) => names).toSorted())
})

void t.test('check: expects exactly the policies and bindings of the manifests', async (t) => {
  for (const [manifests, expected] of [
    [base, expectedPolicies],
    [sync, expectedSyncPolicies],
  ] as const) {
    const names = expected.map(({ name }) => name).toSorted()
    const namesOf = (kind: string) => ofKind(manifests, kind).map(({ metadata }) => metadata.name)
    t.strictSame(namesOf('ValidatingAdmissionPolicy').toSorted(), names)
    t.strictSame(namesOf('ValidatingAdmissionPolicyBinding').toSorted(), names)
    for (const { name, action } of expected) {
      const binding = ofKind(manifests, 'ValidatingAdmissionPolicyBinding').find(
        ({ metadata }) => metadata.name === name,
      )
      const { policyName, validationActions } = (binding as Manifest & { spec: Record<string, unknown> }).spec
      const bound = { policyName: name, validationActions: [action] }
      t.strictSame({ policyName, validationActions }, bound, nameOf(binding!))
    }
  }
})
