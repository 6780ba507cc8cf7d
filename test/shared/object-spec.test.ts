import fc from 'fast-check'
import t from 'tap'
import { Check } from 'typebox/value'
import { ObjectSpec } from '../../shared/object-schema.ts'
import { filesOf, objectName } from '../../shared/object-spec.ts'

const spec: ObjectSpec = {
  vault: 'https://my-kv.vault.azure.net',
  identity: 0,
  type: 'secret',
  name: 'db-password',
  path: 'db/password',
  history: 1,
  format: 'pem',
  encoding: 'utf-8',
  optional: false,
  split: false,
}

const files: [name: string, fields: Partial<ObjectSpec>, files: string[]][] = [
  ['one', {}, ['db/password']],
  ['of a history', { history: 2 }, ['db/password/0', 'db/password/1']],
  ['of a split', { split: true }, ['db/password', 'db/password.crt', 'db/password.key']],
  ['of both', { history: 2, split: true }, ['db/password/0', 'db/password/0.crt', 'db/password/0.key', 'db/password/1', 'db/password/1.crt', 'db/password/1.key']],
] // prettier-ignore
for (const [name, fields, expected] of files) {
  void t.test(`files: ${name}`, async (t) => t.strictSame(filesOf({ ...spec, ...fields }), expected))
}

void t.test('every file of an object is its own', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.boolean(), (history, split) => {
      const files = filesOf({ path: 'x', history, split })
      return new Set(files).size === files.length && files.length === history * (split ? 3 : 1)
    }),
  )
})

void t.test('how messages name an object', async (t) => {
  t.equal(objectName({ type: 'cert', name: 'web-tls' }), 'cert web-tls')
})

const valid: [name: string, fields: Partial<ObjectSpec>][] = [
  ['every default', {}],
  ['everything set', { type: 'cert', version: '0123abcd', mode: 0o440, history: 100, optional: true }],
  ['a vault with a port', { vault: 'https://localhost:8443' }],
]
for (const [name, fields] of valid) {
  void t.test(`valid: ${name}`, async (t) => t.ok(Check(ObjectSpec, { ...spec, ...fields })))
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
  void t.test(`invalid: ${name}`, async (t) => t.notOk(Check(ObjectSpec, { ...spec, ...fields })))
}
