import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import { spellName } from '../../../shared/objects/property.ts'
import { readProperty } from '../../../shared/render/property.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'
import { pemSecret, secret, textsOf } from './objects.ts'
import { objectSpec } from '../../support/object-spec.ts'

const json = JSON.stringify({
  db: { user: 'app', password: 'p@ss\n"', port: 5432, tls: true, options: null, empty: '' },
  list: ['first', { a: 'second' }, [3]],
  'a.b\\c': 'dotted',
  '': 'nameless',
  0: 'zero',
  __proto__: 'x',
})
const prototype = '{"__proto__": {"a": "own"}, "constructor": {"name": "own"}}'
const yaml = `
db: &db
  user: app
  password: "p@ss\\n\\""
  pin: 0755
  port: 5432
  quoted: "5432"
  tls: True
  none: ~
list: [first, {a: second}]
copy: *db
big: 12345678901234567890
text: |
  two
  lines
`

const found: [name: string, text: string, property: string, value: string][] = [
  ['a text of JSON as it is', json, 'db.password', 'p@ss\n"'],
  ['an empty text', json, 'db.empty', ''],
  ['a number', json, 'db.port', '5432'],
  ['true', json, 'db.tls', 'true'],
  ['null', json, 'db.options', 'null'],
  ['a map as compact JSON', '{"a": {"b" : [1, "x", null]} }', 'a', '{"b":[1,"x",null]}'],
  ['an item of a list', json, 'list.0', 'first'],
  ['a field of an item', json, 'list.1.a', 'second'],
  ['an item of an item', json, 'list.2.0', '3'],
  ['a name that is a number', json, '0', 'zero'],
  ['a name with a dot and a backslash', json, 'a\\.b\\\\c', 'dotted'],
  ['names of the prototype that are fields', prototype, '__proto__.a', 'own'],
  ['constructor as a field', prototype, 'constructor.name', 'own'],
  ['a number that JavaScript cannot hold', '{"id":12345678901234567890}', 'id', '12345678901234567890'],
  ['numbers inside of a map', '{"a":{"b":1.10,"c":1E400,"d":-0,"e":1}}', 'a', '{"b":1.10,"c":1E400,"d":-0,"e":1}'],
  ['JSON behind a byte order mark', '\ufeff{"a":"b"}', 'a', 'b'],
  ['the last of two fields of one name', '{"a":1,"a":2}', 'a', '2'],
  ['a text of YAML', yaml, 'db.password', 'p@ss\n"'],
  ['a plain scalar as it is written', yaml, 'db.pin', '0755'],
  ['a number of YAML', yaml, 'db.port', '5432'],
  ['null of YAML', yaml, 'db.none', 'null'],
  ['a block of text', yaml, 'text', 'two\nlines\n'],
  ['a large number of YAML', yaml, 'big', '12345678901234567890'],
  [
    'an alias as compact JSON',
    yaml,
    'copy',
    '{"user":"app","password":"p@ss\\n\\"","pin":"0755","port":5432,"quoted":"5432","tls":true,"none":null}',
  ],
  ['an item of a YAML list', yaml, 'list.1', '{"a":"second"}'],
  ['YAML behind a byte order mark', '\ufeffa: b', 'a', 'b'],
]
for (const [name, text, property, value] of found) {
  void t.test(`property: ${name}`, async (t) => t.equal(await readProperty(text, property), value))
}

const neither =
  'property needs JSON or YAML, and its value is neither (of YAML at most 12000 words, signs and lines, 16 levels and 100 aliases are read)'
const many = JSON.stringify(Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${index}`, 1])))
const failures: [name: string, text: string, property: string, message: string][] = [
  [
    'a missing field',
    json,
    'db.pasword',
    'property: db has no field pasword: its fields are user, password, port, tls, options, empty',
  ],
  [
    'a missing field of the secret',
    '{"a.b":1,"c\\\\d":2}',
    'x',
    'property: the secret has no field x: its fields are a\\.b, c\\\\d',
  ],
  [
    'many fields',
    many,
    'x',
    'property: the secret has no field x: its fields are f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 20 more',
  ],
  ['no fields', '{"a":{}}', 'a.b', 'property: a has no field b: it is an empty map'],
  ['an item beyond the list', json, 'list.3', 'property: list has no field 3: it is a list, whose items are 0 to 2'],
  [
    'an item that is spelled otherwise',
    json,
    'list.00',
    'property: list has no field 00: it is a list, whose items are 0 to 2',
  ],
  [
    'the length of a list',
    json,
    'list.length',
    'property: list has no field length: it is a list, whose items are 0 to 2',
  ],
  ['an item of an empty list', '[]', '0', 'property: the secret has no field 0: it is an empty list'],
  [
    'a field of a text',
    json,
    'db.password.length',
    'property: db.password has no field length: it is neither a map nor a list',
  ],
  ['a field of a number', '{"a":1.10}', 'a.text', 'property: a has no field text: it is neither a map nor a list'],
  [
    'a secret that is a password',
    'hunter2',
    'a',
    'property: the secret has no field a: it is neither a map nor a list',
  ],
  ['a prototype', '{}', '__proto__', 'property: the secret has no field __proto__: it is an empty map'],
  ['a method of the prototype', '{"a":1}', 'toString', 'property: the secret has no field toString: its fields are a'],
  [
    'long and unprintable names',
    `{"\\u001b[2J${'a'.repeat(100)}":1}`,
    'x',
    `property: the secret has no field x: its fields are \\u001b[2J${'a'.repeat(31)}...`,
  ],
  [
    'a missing field of YAML',
    'a: 1\nb: 2',
    'x',
    'property: the secret has no field x: it is not JSON but a map of YAML, which has 2 fields',
  ],
  [
    'a missing field of a map in YAML',
    'db: {S3CR3T}',
    'db.x',
    'property: db has no field x: it is not JSON but a map of YAML, which has one field',
  ],
  ['neither JSON nor YAML', '{"S3CR3T: [', 'a', neither],
  ['a field twice in YAML', 'a: 1\na: 2', 'a', neither],
  ['several documents', 'a: 1\n---\na: 2', 'a', neither],
  ['an alias of nothing', 'a: *b', 'a', neither],
  ['more levels than are read', `${'['.repeat(200)}${']'.repeat(200)}`, '0', 'its JSON nests deeper than 100 levels'],
  [
    'more characters than are read',
    JSON.stringify('x'.repeat(65_536)),
    'a',
    'it has 65538 characters, and at most 65536 are read as JSON or YAML',
  ],
  ['a circle of YAML', '&a [*a]', '0', 'property 0 has more than 1048576 characters as JSON'],
]
for (const [name, text, property, message] of failures) {
  void t.test(`property: a failure, ${name}`, async (t) =>
    t.rejects(readProperty(text, property), new RenderFailure(message)),
  )
}

void t.test('property: any field of any JSON is found by its escaped path', async () => {
  const name = fc.string({ minLength: 1, unit: 'binary' })
  await fc.assert(
    fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 5 }), fc.jsonValue(), async (names, leaf) => {
      const value = names.reduceRight<unknown>((inner, one) => ({ other: 1, [one]: inner }), leaf)
      const read = await readProperty(JSON.stringify(value), names.map(spellName).join('.'))
      return read === (typeof leaf === 'string' ? leaf : JSON.stringify(leaf))
    }),
  )
})

void t.test('property: jq reads the field that is written', async (t) => {
  const jq = (filter: string) => {
    try {
      return execFileSync('jq', ['-rcj', filter], { input: json, stdio: ['pipe', 'pipe', 'ignore'] }).toString()
    } catch {
      return undefined
    }
  }
  if (jq('.') === undefined) return t.comment('there is no jq')
  t.equal(await readProperty(json, 'list'), jq('.list'))
  t.equal(await readProperty(json, 'db.password'), jq('.db.password'))
})

void t.test('property: the value is decoded in each version of a history', async (t) => {
  const object = objectSpec('db', { property: 'key', encoding: 'base64', history: 2, path: 'x' })
  const texts = await textsOf(object, secret('{"key":"aGk="}'), secret('key: aG8=', { version: 'v0' }))
  t.strictSame(texts, { 'x/0': 'hi', 'x/1': 'ho' })
})

void t.test('property: a failure names the vault, the object and its version', async (t) => {
  const place = 'vault my-kv, secret db@v1:'
  const message = `${place} property: the secret has no field x: its fields are a`
  await t.rejects(textsOf(objectSpec('db', { property: 'x' }), secret('{"a":"S3CR3T"}')), new RenderFailure(message))
  const belongs = `${place} property is for JSON and YAML, and this secret belongs to a certificate; leave property out`
  await t.rejects(textsOf(objectSpec('db', { property: 'x' }), pemSecret('{"x":1}')), new RenderFailure(belongs))
})

void t.test('property: no failure quotes a value', async () => {
  const marked = fc.oneof(
    fc.jsonValue().map((value) => JSON.stringify({ a: ['S3CR3T', value], b: 'S3CR3T', c: { d: 'S3CR3T' } })),
    fc.string().map((text) => `a: S3CR3T\nb: "S3CR3T${text}\nc: S3CR3T${text}`),
    fc.string().map((text) => `S3CR3T ${text}`),
    fc.string().map((text) => `S3CR3T${text}:`),
  )
  const property = fc.constantFrom('x', 'a', 'a.5', 'a.0.b', 'c.e', 'b.c', 'c.d.0')
  await fc.assert(
    fc.asyncProperty(marked, property, async (text, path) => {
      const error = await readProperty(text, path).then(
        () => undefined,
        (error: unknown) => error as Error,
      )
      return error === undefined || (error instanceof RenderFailure && !/s3cr3t/i.test(error.message))
    }),
    { numRuns: 1000 },
  )
})
