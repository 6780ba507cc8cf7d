import t from 'tap'
import { claim, digestOf, isUpToDate, wantedSecret, type ClusterSecret, type WantedSecret } from '../../sync/secret.ts'
import { readSecretObjects, type SecretRequest } from '../../sync/secret-objects.ts'
import type { SyncOptions } from '../../sync/sync-class.ts'
import { opaque } from './fixture.ts'

const request = readSecretObjects([{ ...opaque('db', { password: 'p' }), labels: { team: 'shop' } }])
  .requests[0] as SecretRequest
const options: SyncOptions = { serviceAccount: 'web-sync', retain: false, adopt: false, others: {} }
const web = { name: 'web', uid: 'uid-1' }
const dataOf = (value: string) => new Map([['password', Buffer.from(value)]])
const wantedOf = (more: Partial<SyncOptions> = {}, value = 'one', one = web): WantedSecret =>
  wantedSecret(one, { ...options, ...more }, request, dataOf(value), new Map([['secret/p', 'v1']]))

/** A Secret as the cluster has it after it was written. */
const existingOf = (wanted: WantedSecret, more: Partial<ClusterSecret> = {}): ClusterSecret => {
  const { type, labels, annotations, owners, digest, data } = wanted
  const time = { 'azure.keyvault.injector/synced-at': '2030-01-01T00:00:00.000Z' }
  return {
    ...{ uid: 'uid-s', resourceVersion: '7', type, labels, owners, digest, keys: [...data.keys()] },
    annotations: { ...annotations, ...time },
    ...more,
  }
}

void t.test('Secrets: labels and annotations say whose a Secret is and what it contains', async (t) => {
  const prefix = 'azure.keyvault.injector/'
  t.match(wantedOf(), {
    labels: { team: 'shop', [`${prefix}synced`]: 'true' },
    annotations: { [`${prefix}sync-class`]: 'web', [`${prefix}sync-versions`]: 'secret/p@v1' },
    owners: [{ apiVersion: 'secrets-store.csi.x-k8s.io/v1', kind: 'SecretProviderClass', name: 'web', uid: 'uid-1' }],
  })
  t.strictSame(wantedOf({ retain: true }).owners, [], 'a retained one has no owner')
  t.equal(wantedOf({ retain: true }).annotations[`${prefix}sync-retain`], 'true')
  t.notMatch(JSON.stringify({ ...wantedOf({}, 'canary-3'), data: undefined }), 'canary-3')
})

void t.test('Secrets: a digest depends on every key and value, and not on their order', async (t) => {
  const bytes = (entries: [string, string][]) => digestOf(entries.map(([key, value]) => [key, Buffer.from(value)]))
  t.equal(
    bytes([
      ['a', '1'],
      ['b', '2'],
    ]),
    bytes([
      ['b', '2'],
      ['a', '1'],
    ]),
  )
  const all = [
    bytes([['a', '12']]),
    bytes([['a1', '2']]),
    bytes([
      ['a', '1'],
      ['b', '2'],
    ]),
    bytes([
      ['a', '2'],
      ['b', '1'],
    ]),
    bytes([]),
  ]
  t.equal(new Set(all).size, all.length)
})

void t.test('Secrets: a Secret is written again if any part of it differs, and not for the time alone', async (t) => {
  const wanted = wantedOf()
  t.ok(isUpToDate(existingOf(wanted, { labels: { ...wanted.labels, more: 'x' } }), wanted), 'labels of others stay')
  for (const [what, existing] of Object.entries({
    value: existingOf(wantedOf({}, 'two')),
    label: existingOf(wanted, { labels: { ...wanted.labels, team: 'x' } }),
    versions: existingOf(wanted, { annotations: { 'azure.keyvault.injector/sync-class': 'web' } }),
    predecessor: existingOf(wantedOf({}, 'one', { name: 'web', uid: 'uid-0' })),
    'no owner': existingOf(wanted, { owners: [] }),
    retained: existingOf(wantedOf({ retain: true })),
  }))
    t.notOk(isUpToDate(existing, wanted), what)
  t.ok(isUpToDate(existingOf(wantedOf({ retain: true })), wantedOf({ retain: true })))
})

void t.test('Secrets: a class writes its own and those of a predecessor of its name, and no others', async (t) => {
  const mine = existingOf(wantedOf())
  t.equal(claim(mine, web, options, request), 'ours')
  t.equal(
    claim(existingOf(wantedOf({}, 'one', { name: 'web', uid: 'uid-0' })), web, options, request),
    'ours',
    'recreated',
  )
  t.match(claim(existingOf(wantedOf({}, 'one', { name: 'api', uid: 'x' })), web, options, request), {
    conflict: /written for SecretProviderClass "api"/,
  })
  t.match(claim({ ...mine, type: 'kubernetes.io/tls' }, web, options, request), { conflict: /cannot be changed/ })
  t.match(claim({ ...mine, labels: {} }, web, options, request), { conflict: /belongs to somebody else/ })
  t.match(claim({ ...mine, labels: {} }, web, { adopt: true }, request), { conflict: /belongs to somebody else/ })
})

void t.test(
  'Secrets: a Secret of the CSI driver is taken over only on request, and only with the same type and keys',
  async (t) => {
    const csi = existingOf(wantedOf(), { labels: { 'secrets-store.csi.k8s.io/managed': 'true' }, annotations: {} })
    t.match(claim(csi, web, options, request), { conflict: /sync-adopt: csi/ })
    t.equal(claim(csi, web, { adopt: true }, request), 'adoptable')
    t.match(claim({ ...csi, keys: ['password', 'x'] }, web, { adopt: true }, request), { conflict: /other keys/ })
    t.match(claim({ ...csi, type: 'kubernetes.io/tls' }, web, { adopt: true }, request), { conflict: /another type/ })
  },
)
