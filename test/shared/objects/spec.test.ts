import fc from 'fast-check'
import t from 'tap'
import { Check } from 'typebox/value'
import { ObjectSpec } from '../../../shared/objects/schema.ts'
import { filesOf, objectName } from '../../../shared/objects/spec.ts'
import { objectSpec } from '../../support/object-spec.ts'

const spec = objectSpec('db-password', { path: 'db/password' })

const files: [name: string, fields: Partial<ObjectSpec>, files: string[]][] = [
  ['one', {}, ['db/password']],
  ['of a history', { history: 2 }, ['db/password/0', 'db/password/1']],
  ['of a split', { split: true }, ['db/password', 'db/password.crt', 'db/password.key', 'db/password.ca.crt']],
  [
    'of both',
    { history: 2, split: true },
    [
      'db/password/0',
      'db/password/0.crt',
      'db/password/0.key',
      'db/password/0.ca.crt',
      'db/password/1',
      'db/password/1.crt',
      'db/password/1.key',
      'db/password/1.ca.crt',
    ],
  ],
]
for (const [name, fields, expected] of files) {
  void t.test(`objects: the files of an object, ${name}`, async (t) =>
    t.strictSame(filesOf({ ...spec, ...fields }), expected),
  )
}

void t.test('objects: every file of an object has its own path', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.boolean(), (history, split) => {
      const files = filesOf({ path: 'x', history, split })
      return new Set(files).size === files.length && files.length === history * (split ? 4 : 1)
    }),
  )
})

void t.test('objects: messages name an object by its type and name', async (t) => {
  t.equal(objectName({ type: 'cert', name: 'web-tls' }), 'cert web-tls')
})

const valid: [name: string, fields: Partial<ObjectSpec>][] = [
  ['every default', {}],
  ['everything set', { type: 'cert', version: '0123abcd', mode: 0o440, history: 100, optional: true }],
  ['a field', { property: 'db.a\\.b.0' }],
  ['a vault with a port', { vault: 'https://localhost:8443' }],
]
for (const [name, fields] of valid) {
  void t.test(`objects: a specification is valid, ${name}`, async (t) =>
    t.ok(Check(ObjectSpec, { ...spec, ...fields })),
  )
}

const invalid: [name: string, fields: Record<string, unknown>][] = [
  ['a vault without its scheme', { vault: 'my-kv.vault.azure.net' }],
  ['a vault with a path', { vault: 'https://my-kv.vault.azure.net/' }],
  ['a vault over HTTP', { vault: 'http://my-kv.vault.azure.net' }],
  ['a negative identity', { identity: -1 }],
  ['a type of the portal', { type: 'certificate' }],
  ['a name with an underscore', { name: 'db_password' }],
  ['a name of 128 characters', { name: 'a'.repeat(128) }],
  ['a name with a slash', { name: 'a/b' }],
  ['a version with a dash', { version: 'a-b' }],
  ['no path', { path: '' }],
  ['no version in a history', { history: 0 }],
  ['a history of 101', { history: 101 }],
  ['half a history', { history: 1.5 }],
  ['another format', { format: 'der' }],
  ['another encoding', { encoding: 'utf-16' }],
  ['a mode with a sticky bit', { mode: 0o1777 }],
  ['a mode as a text', { mode: '0440' }],
  ['an unknown field', { alias: 'x' }],
]
for (const [name, fields] of invalid) {
  void t.test(`objects: a specification is invalid, ${name}`, async (t) =>
    t.notOk(Check(ObjectSpec, { ...spec, ...fields })),
  )
}
