import t from 'tap'
import { syncAdoptAnnotation, syncRetainAnnotation } from '../../sync/names.ts'
import type { ObjectApi } from './object-api.ts'
import { classPath, secretPath, startShop } from './shop.ts'
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

void t.test('class sync: a takeover that was interrupted is completed', async (t) => {
  const { poll, vault, api, putClass, restart } = await startShop(t, db, { [syncAdoptAnnotation]: 'csi' })
  vault.setSecret('password', 'new')
  const patches = () => api.bodies.get(`PATCH ${secretPath('db')}`) as { path?: string }[][]
  api.put(secretPath('db'), ofDriver)
  api.before = () => {
    if (api.bodies.get(`PATCH ${secretPath('db')}`)?.length === 2) throw new Error('the process ended')
  }
  t.match(await poll(), { result: 'failed' })
  api.before = () => undefined
  // As the API server records the claim.
  const claimed = api.objects.get(secretPath('db'))!
  const claim = { manager: 'akv-injector-sync', operation: 'Update' }
  api.put(secretPath('db'), { ...claimed, metadata: { ...claimed.metadata, managedFields: [claim] } })
  putClass({ [syncRetainAnnotation]: 'true' })
  restart()
  t.match(await poll(), { result: 'success', writes: [{ outcome: 'updated' }] })
  t.strictSame(
    patches().map((body) => (Array.isArray(body) ? body.at(-1)?.path : 'apply')),
    [
      '/metadata/managedFields/1/operation',
      '/metadata/managedFields/2',
      '/metadata/ownerReferences',
      '/metadata/managedFields/0',
      'apply',
    ],
  )
  t.equal(owners(api.objects.get(secretPath('db'))), undefined)
})
