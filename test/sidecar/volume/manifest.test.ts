import t from 'tap'
import { mostChanged } from '../../../sidecar/notify/notification.ts'
import { parseManifest } from '../../../sidecar/volume/manifest.ts'

const record = {
  version: 'v2',
  versions: ['v2', 'v1'],
  attributes: { enabled: true, created: 1, updated: 2, expires: 3, notBefore: 4, thumbprint: 'x' },
  answeredAt: 5,
  fetchedAt: 6.5,
}
const changed = { type: 'secret', name: 'db', version: 'v2', paths: ['db'] }
const notification = { id: 'a', switchedAt: 1, dueAt: 2.5, changed: [changed] }
const manifest = {
  ...{ schema: 1, plan: 'plan', switchedAt: 1, files: { db: 0o444 }, objects: { 0: ['db'] } },
  ...{ found: { 1: { find: 0, name: 'web' } }, sources: { db: record }, notification, turn: { id: 'x' } },
}
const parse = (fields: object) => parseManifest(JSON.stringify({ ...manifest, ...fields }))

void t.test('manifest: what the sidecar wrote is read as it is', async (t) => {
  t.strictSame(parse({}), manifest)
  const short = { version: '', versions: [], attributes: { enabled: false }, fetchedAt: 0 }
  t.strictSame(parse({ sources: { db: short } })?.sources, { db: short })
  const { notification: _, ...first } = manifest
  t.strictSame(parseManifest(JSON.stringify(first)), first)
})

const long = 'x'.repeat(4097)
const many = new Array(mostChanged + 1).fill('x')
const badTimes = ['1', null, 8.7e15, {}]

const badRecords: object[] = [
  {},
  ...[1, null, long].map((version) => ({ ...record, version })),
  ...['v1', null, [1], [long], many].map((versions) => ({ ...record, versions })),
  ...[null, 'x', {}, { enabled: 1 }, { enabled: true, thumbprint: 1 }].map((attributes) => ({ ...record, attributes })),
  ...['created', 'updated', 'expires', 'notBefore'].flatMap((field) =>
    [...badTimes, 8.7e12].map((time) => ({ ...record, attributes: { enabled: true, [field]: time } })),
  ),
  ...badTimes.flatMap((time) => [
    { ...record, answeredAt: time },
    { ...record, fetchedAt: time },
  ]),
]
for (const bad of [...badRecords, null, 1, 'x', []])
  void t.test(`manifest: without a record of another shape: ${JSON.stringify(bad).slice(0, 100)}`, async (t) => {
    t.strictSame(parse({ sources: { bad, db: record } }), manifest)
  })

const badNotifications: object[] = [
  { id: 'x' },
  ...[undefined, 1, long].map((id) => ({ ...notification, id })),
  ...badTimes.flatMap((time) => [
    { ...notification, switchedAt: time },
    { ...notification, dueAt: time },
  ]),
  ...['x', {}, [null], [1], [{}], many.map(() => changed)].map((list) => ({ ...notification, changed: list })),
  ...['type', 'name', 'version'].flatMap((field) =>
    [1, null, long].map((value) => ({ ...notification, changed: [{ ...changed, [field]: value }] })),
  ),
  ...['x', [1], [long], many].map((paths) => ({ ...notification, changed: [changed, { ...changed, paths }] })),
]
for (const bad of [...badNotifications, null, 1, 'x', []])
  void t.test(`manifest: without a notification of another shape: ${JSON.stringify(bad).slice(0, 100)}`, async (t) => {
    const { notification: _, ...rest } = manifest
    t.strictSame(parse({ notification: bad }), rest)
  })

for (const fields of [{ switchedAt: '1' }, { switchedAt: 8.7e15 }, { objects: { 0: 'db' } }, { objects: { 0: 1 } }])
  void t.test(`manifest: none if it has ${JSON.stringify(fields)}`, async (t) => t.equal(parse(fields), undefined))
