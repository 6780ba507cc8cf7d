import { join } from 'node:path'
import t from 'tap'
import { expectedEntries, expectedPermissions, expectedPolicies } from '../../../cli/check/expected.ts'
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

void t.test('check: expects exactly the permissions that the manifests grant', async (t) => {
  const granted = ofKind(base, 'Role', 'ClusterRole').flatMap((role) =>
    rulesOf(role).flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.map((verb) => line(verb, group, resource, role.kind === 'Role', resourceNames !== undefined)),
        ),
      ),
    ),
  )
  const expected = expectedPermissions.map(({ verb, group, resource, scope, named }) =>
    line(verb, group, resource, scope === 'own', named !== undefined),
  )
  t.strictSame(expected.toSorted(), granted.toSorted())
})

const line = (verb: string, group: string, resource: string, isOwn: boolean, isNamed: boolean): string =>
  `${verb} ${resource}.${group}${isOwn ? ' in its namespace' : ''}${isNamed ? ' by name' : ''}`

void t.test('check: expects exactly the policies and bindings of the manifests', async (t) => {
  const names = expectedPolicies.map(({ name }) => name).toSorted()
  const namesOf = (kind: string) => ofKind(base, kind).map(({ metadata }) => metadata.name)
  t.strictSame(namesOf('ValidatingAdmissionPolicy').toSorted(), names)
  t.strictSame(namesOf('ValidatingAdmissionPolicyBinding').toSorted(), names)
  for (const { name, action } of expectedPolicies) {
    const binding = ofKind(base, 'ValidatingAdmissionPolicyBinding').find(({ metadata }) => metadata.name === name)
    const { policyName, validationActions } = (binding as Manifest & { spec: Record<string, unknown> }).spec
    t.strictSame({ policyName, validationActions }, { policyName: name, validationActions: [action] }, nameOf(binding!))
  }
})
