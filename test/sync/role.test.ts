import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { roleOf, roleText, secretNames, shortRoleText } from '../../sync/role.ts'
import { opaque, specOf } from './fixture.ts'

const inputs = {
  namespace: 'shop',
  name: 'web',
  serviceAccount: 'web-sync',
  secrets: ['db', 'a', 'db'],
  programNamespace: 'akv',
}

void t.test('sync role: every right is limited by name', async (t) => {
  const [role, binding] = roleOf(inputs)
  t.strictSame(role, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'akv-injector-sync-web', namespace: 'shop' },
    rules: [
      { apiGroups: [''], resources: ['serviceaccounts'], resourceNames: ['web-sync'], verbs: ['get'] },
      { apiGroups: [''], resources: ['serviceaccounts/token'], resourceNames: ['web-sync'], verbs: ['create'] },
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['a', 'db'], verbs: ['get', 'create', 'patch'] },
    ],
  })
  t.match(binding, {
    roleRef: { kind: 'Role', name: 'akv-injector-sync-web' },
    subjects: [{ kind: 'ServiceAccount', name: 'akv-injector-sync', namespace: 'akv' }],
  })
})

void t.test('sync role: the right to delete is only given on request', async (t) => {
  const [role] = roleOf({ ...inputs, allowDelete: true })
  t.match(role, {
    rules: [
      { verbs: ['get'] },
      { verbs: ['create'] },
      { resourceNames: ['a', 'db'], verbs: ['get', 'create', 'patch', 'delete'] },
    ],
  })
})

void t.test('sync role: YAML and the short form are the same objects', async (t) => {
  const read = (text: string): unknown[] => parseAllDocuments(text).map((one) => one.toJS() as unknown)
  t.strictSame(read(roleText(inputs)), roleOf(inputs))
  t.strictSame(read(shortRoleText(inputs, 1000) ?? ''), [{ apiVersion: 'v1', kind: 'List', items: roleOf(inputs) }])
  t.equal(shortRoleText(inputs, 100), undefined, 'no cut Role is ever told')
})

void t.test('sync role: no rule names no Secret: an empty list of resourceNames would mean all of them', async (t) => {
  t.strictSame(secretNames(specOf([], [opaque('db', { a: 'b' }), { secretName: '*' }])), ['db'])
  t.match(roleOf({ ...inputs, secrets: [] }), [
    { rules: [{ resources: ['serviceaccounts'] }, { resources: ['serviceaccounts/token'] }] },
    {},
  ])
  t.notMatch(JSON.stringify(roleOf({ ...inputs, secrets: [] })), '"secrets"')
})
