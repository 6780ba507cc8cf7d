import t from 'tap'
import { ApiError } from '../../shared/kubernetes/api.ts'
import { linkOf } from '../../shared/kubernetes/event-sender.ts'
import { syncAdoptAnnotation, syncRetainAnnotation } from '../../sync/names.ts'
import type { ObjectApi } from './object-api.ts'
import { accountPath, classPath, secretPath, startShop } from './shop.ts'
import { opaque, secretObject, specOf } from './fixture.ts'

const db = (vault: string) => specOf([secretObject('password')], [opaque('db', { password: 'password' })], vault)
const owners = (object: unknown): unknown =>
  (object as { metadata: { ownerReferences?: { uid: string }[] } }).metadata.ownerReferences?.map(({ uid }) => uid)

void t.test('class sync: a recreated class takes over the Secret of its predecessor', async (t) => {
  const { poll, vault, api, putClass, restart } = await startShop(t, db)
  vault.setSecret('password', 'p')
  await poll()
  t.strictSame(owners(api.objects.get(secretPath('db'))), ['uid-web'])
  putClass({}, 'uid-again')
  restart()
  t.match(await poll(), { writes: [{ outcome: 'updated' }] })
  t.strictSame(owners(api.objects.get(secretPath('db'))), ['uid-again'])
})

void t.test('class sync: with sync-retain a Secret has no owner, and without it again one', async (t) => {
  const { poll, vault, api, putClass } = await startShop(t, db, { [syncRetainAnnotation]: 'true' })
  vault.setSecret('password', 'p')
  await poll()
  t.equal(owners(api.objects.get(secretPath('db'))), undefined)
  putClass({ [syncRetainAnnotation]: 'false' })
  t.match(await poll(), { writes: [{ outcome: 'updated' }] })
  t.strictSame(owners(api.objects.get(secretPath('db'))), ['uid-web'])
})

/** What Kubernetes does for `kubectl delete --cascade=orphan`: it marks the class, and takes it from its Secret. */
function orphan(api: ObjectApi): void {
  const [one, secret] = [classPath, secretPath('db')].map((path) => api.objects.get(path)!)
  api.put(classPath, { ...one, metadata: { ...one?.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } })
  api.put(secretPath('db'), { ...secret, metadata: { ...secret?.metadata, ownerReferences: undefined } })
}

void t.test('class sync: the Secret of a class that is being deleted is left to Kubernetes', async (t) => {
  const { poll, vault, api, hooks, values, putClass } = await startShop(t, db)
  vault.setSecret('password', 'one')
  await poll()
  orphan(api)
  t.strictSame(await poll(), { messages: [], writes: [], result: 'success' }, 'before a poll')
  t.equal(owners(api.objects.get(secretPath('db'))), undefined)
  putClass()
  t.match(await poll(), { writes: [{ outcome: 'updated' }] }, 'a class that is there')

  vault.setSecret('password', 'two')
  let isDone = false
  const once = () => {
    if (!isDone) orphan(api)
    isDone = true
  }
  hooks.onRequest = once
  t.match(await poll(), { writes: [{ outcome: 'unchanged' }] }, 'while the vault is asked')
  hooks.onRequest = () => undefined
  t.equal(owners(api.objects.get(secretPath('db'))), undefined)
  putClass()
  isDone = false
  api.before = (call) => void (call === `PATCH ${secretPath('db')}` && once())
  t.match(await poll(), { writes: [{ outcome: 'conflict' }] }, 'between the last look and the write')
  t.equal(owners(api.objects.get(secretPath('db'))), undefined)
  t.strictSame(values('db'), { password: 'one' })
})

void t.test('class sync: no Secret is made for a class that is recreated meanwhile', async (t) => {
  const { poll, vault, api, hooks, putClass } = await startShop(t, db)
  vault.setSecret('password', 'one')
  hooks.onRequest = () => void putClass({}, 'uid-again')
  t.match(await poll(), { writes: [{ outcome: 'unchanged' }] })
  t.notOk(api.objects.has(secretPath('db')))
  t.match(await poll(), { writes: [{ outcome: 'created' }] })
  t.strictSame(owners(api.objects.get(secretPath('db'))), ['uid-again'])
})

/** A Secret as the CSI driver leaves it. */
const ofDriver = {
  type: 'Opaque',
  data: { password: Buffer.from('old').toString('base64') },
  metadata: {
    labels: { 'secrets-store.csi.k8s.io/managed': 'true' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'uid-rs' }],
    managedFields: [
      { manager: 'kubectl-label', operation: 'Update', fieldsV1: {} },
      { manager: 'secrets-store-csi', operation: 'Update', fieldsV1: {} },
      { manager: 'akv-injector-sync', operation: 'Update', fieldsV1: {} },
    ],
  },
}

void t.test('class sync: a Secret of the CSI driver is taken over with sync-adopt alone', async (t) => {
  const { poll, vault, api, putClass, values } = await startShop(t, db)
  vault.setSecret('password', 'new')
  api.put(secretPath('db'), ofDriver)
  t.match(await poll(), { result: 'refused', messages: [{ reason: 'Conflict', message: /sync-adopt: csi/ }] })
  t.strictSame(values('db'), { password: 'old' })
  putClass({ [syncAdoptAnnotation]: 'csi' })
  t.match(await poll(), { result: 'success', writes: [{ outcome: 'adopted' }] })
  t.strictSame(values('db'), { password: 'new' })
  const [claim, release] = api.bodies.get(`PATCH ${secretPath('db')}`) as {
    op: string
    path: string
    value?: unknown
  }[][]
  t.match(
    claim?.filter(({ path }) => path.includes('managedFields')),
    [
      { op: 'replace', path: '/metadata/managedFields/1/manager', value: 'akv-injector-sync' },
      { op: 'replace', path: '/metadata/managedFields/1/operation', value: 'Apply' },
    ],
  )
  t.match(release?.slice(1), [{ op: 'remove', path: '/metadata/managedFields/2' }], 'what the patch itself changed')
  t.strictSame(owners(api.objects.get(secretPath('db'))), ['uid-web'])
  t.match(await poll(), { result: 'success', writes: [] })
})

/** As the API server of Kubernetes 1.37 says it. */
const refusal =
  'serviceaccounts "web" is forbidden: User "system:serviceaccount:akv-injector-system:akv-injector-sync" cannot get resource "serviceaccounts" in API group "" in the namespace "shop"'

void t.test('class sync: a class without its Role says which one, and nothing else is requested', async (t) => {
  const { poll, vault, api, fixture } = await startShop(t, db)
  vault.setSecret('password', 'p')
  api.before = (call) => {
    if (call.includes('serviceaccounts')) throw new ApiError(403, `${call}: 403 ${refusal}`, refusal)
  }
  const { result, messages } = await poll()
  t.equal(result, 'refused')
  t.match(messages, [{ reason: 'RoleMissing', message: /akv-injector sync role web prints, or \{/ }])
  t.match(messages[0]?.message, '"resourceNames":["db"],"verbs":["get","create","patch"]')
  t.ok((messages[0]?.message.length ?? 0) + linkOf('RoleMissing').length <= 1024)
  t.notOk(messages[0]?.isUnlinked)
  t.strictSame(api.calls, [`GET ${classPath}`, `GET ${accountPath}`])
  t.strictSame(fixture.emulator.journal.counts('shop-kv'), {})
})

void t.test(
  'class sync: a Role that needs the space comes before the link, and one that is too long is left out',
  async (t) => {
    for (const [length, hasRole, isUnlinked] of [
      [100, true, true],
      [200, false, undefined],
    ] as const) {
      const { poll, api } = await startShop(t, (vault) =>
        specOf([secretObject('password')], [opaque('d'.repeat(length), { password: 'password' })], vault),
      )
      api.before = (call) => {
        if (call.includes('serviceaccounts')) throw new ApiError(403, `${call}: 403 ${refusal}`, refusal)
      }
      const [message] = (await poll()).messages
      t.equal(message?.message.includes('RoleBinding'), hasRole, `${length} characters`)
      t.equal(message?.isUnlinked, isUnlinked)
      t.ok((message?.message.length ?? 0) + (isUnlinked ? 0 : linkOf('RoleMissing').length) <= 1024)
    }
  },
)

void t.test('class sync: each right of the Role that is missing is told', async (t) => {
  for (const call of [`POST ${accountPath}/token`, `GET ${secretPath('db')}`, `PATCH ${secretPath('db')}`]) {
    const { poll, vault, api, values } = await startShop(t, db)
    vault.setSecret('password', 'p')
    api.before = (one) => {
      if (one === call) throw new ApiError(403, `${one}: 403 forbidden`, 'forbidden')
    }
    const { messages, result } = await poll()
    t.not(result, 'success', call)
    t.match(messages, [{ message: /403 forbidden/ }], call)
    t.strictSame(values('db'), {}, call)
    api.before = () => undefined
  }
})

void t.test('class sync: a ServiceAccount that does not exist, or may not sign in, is told', async (t) => {
  const { poll, vault, api, fixture } = await startShop(t, db)
  vault.setSecret('password', 'p')
  api.token = () => fixture.issuer.token({ namespace: 'shop', serviceAccount: 'other' })
  t.match(await poll(), { result: 'failed', messages: [{ reason: 'SyncFailed', message: /AADSTS70021/ }] })
  api.objects.delete(accountPath)
  t.match(await poll(), { result: 'refused', messages: [{ reason: 'SyncRefused', message: /no ServiceAccount web/ }] })
})

void t.test('class sync: a class that is gone or too large', async (t) => {
  const { poll, api } = await startShop(t, db)
  const kept = api.objects.get(classPath)!
  api.put(classPath, { ...kept, spec: { provider: 'azure', parameters: { objects: 'x'.repeat(400_000) } } })
  t.match(await poll(), { result: 'refused', messages: [{ reason: 'SyncRefused', message: /larger than 256 KiB/ }] })
  api.objects.delete(classPath)
  t.match(await poll(), { result: 'success', messages: [], writes: [] })
})

void t.test(
  'class sync: a template gives a registry login, and is rendered again when one of its secrets changes',
  async (t) => {
    const spec = (vault: string) =>
      specOf(
        [secretObject('pull-user'), secretObject('pull-password')],
        [
          {
            secretName: 'pull',
            type: 'kubernetes.io/dockerconfigjson',
            data: [{ key: '.dockerconfigjson', objectName: 'login' }],
          },
          opaque('user', { user: 'pull-user' }),
        ],
        vault,
      )
    const template =
      '{"auths":{"registry.example":{"username":{{ secrets["pull-user"] | json }},"password":{{ secrets["pull-password"] | json }}}}}'
    const { poll, vault, values } = await startShop(t, spec, { 'azure.keyvault.injector/template-login': template })
    vault.setSecret('pull-user', 'robot')
    vault.setSecret('pull-password', 'a"b')
    t.match(await poll(), { result: 'success' })
    const login = () => (JSON.parse(values('pull')['.dockerconfigjson'] ?? '{}') as { auths?: object }).auths
    t.strictSame(login(), { 'registry.example': { username: 'robot', password: 'a"b' } })
    vault.setSecret('pull-password', 'c')
    const { writes } = await poll()
    t.strictSame(
      writes.map(({ secret, outcome }) => [secret, outcome]),
      [
        ['pull', 'updated'],
        ['user', 'unchanged'],
      ],
    )
    t.strictSame(login(), { 'registry.example': { username: 'robot', password: 'c' } })
  },
)

void t.test('class sync: what the API server says never repeats a value', async (t) => {
  const { poll, vault, api } = await startShop(t, db)
  vault.setSecret('password', 'canary-value')
  const encoded = Buffer.from('canary-value').toString('base64')
  api.before = (call) => {
    if (call === `PATCH ${secretPath('db')}`)
      throw new ApiError(422, `a webhook says: password canary-value, ${encoded} is weak`)
  }
  const { messages, result } = await poll()
  t.equal(result, 'failed')
  t.match(messages, [{ reason: 'SyncFailed', message: /a webhook says: password \*\*\*, \*\*\* is weak/ }])
})
