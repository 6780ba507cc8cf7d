import fc from 'fast-check'
import t from 'tap'
import type { ObjectRequest } from '../../../shared/objects/spec.ts'
import { parseEntry, parseObjects, printEntry } from '../../../shared/objects/parse.ts'
import { fail, ok } from '../../../shared/result.ts'
import { pathProblem } from '../../../shared/paths.ts'
import { objectRequest } from '../../support/object-spec.ts'

const version = '0123456789abcdef0123456789abcdef'

const entries: [entry: string, object: ObjectRequest][] = [
  ['db-password', objectRequest('db-password')],
  ['secret/db-password', objectRequest('db-password')],
  ['key/signing', objectRequest('signing', { type: 'key' })],
  ['cert/web-tls=tls.pem', objectRequest('web-tls', { type: 'cert', path: 'tls.pem' })],
  ['CERT/web-tls', objectRequest('web-tls', { type: 'cert' })],
  [`db-password@${version}`, objectRequest('db-password', { version })],
  ['db-password@latest', objectRequest('db-password')],
  [`secret/a@${version}=b/c`, objectRequest('a', { version, path: 'b/c' })],
  ['a=.env', objectRequest('a', { path: '.env' })],
  ['a=b=c@d', objectRequest('a', { path: 'b=c@d' })],
  ['a = b c ', objectRequest('a', { path: 'b c' })],
  ['null', objectRequest('null')],
  ['a=null', objectRequest('a', { path: 'null' })],
  ['---a', objectRequest('---a')],
  ['123', objectRequest('123')],
]

for (const [entry, expected] of entries) {
  void t.test(`objects: entry ${entry}`, async (t) => {
    t.strictSame(parseEntry(entry), ok(expected))
    t.strictSame(parseObjects(entry), ok({ objects: [expected], templates: {}, bundles: {} }))
  })
}

const form = 'expected [secret/|key/|cert/]name[@version][=path]'
const nameRule = 'expected 1 to 127 letters, digits and dashes'

const wrongEntries: [entry: string, ...problems: string[]][] = [
  ['secrets/a', 'entry "secrets/a": type "secrets": expected one of secret, key, cert (did you mean "secret"?)'],
  [
    'certificate/a',
    'entry "certificate/a": type "certificate": expected one of secret, key, cert (did you mean "cert"?)',
  ],
  ['~/a', 'entry "~/a": type "~": expected one of secret, key, cert'],
  ['/a', `entry "/a": ${form}`],
  ['a@', `entry "a@": ${form}`],
  ['a=', `entry "a=": ${form}`],
  ['=a', `entry "=a": ${form}`],
  ['key/', `entry "key/": ${form}`],
  ['db_password', `entry "db_password": name "db_password": ${nameRule}`],
  ['a b', `entry "a b": name "a b": ${nameRule}`],
  ['a:b', `entry "a:b": name "a:b": ${nameRule}`],
  ['key/a/b', `entry "key/a/b": name "a/b": ${nameRule}`],
  [`${'a'.repeat(128)}=x`, `entry "${'a'.repeat(77)}...": name "${'a'.repeat(77)}...": ${nameRule}`],
  ['a@1.0', 'entry "a@1.0": version "1.0": expected the id of a version, letters and digits only'],
  ['a@b@c', 'entry "a@b@c": version "b@c": expected the id of a version, letters and digits only'],
  [
    'a=/etc/passwd',
    'entry "a=/etc/passwd": path "/etc/passwd": a path is relative to the mount and may not begin with "/"',
  ],
  ['a=../x', 'entry "a=../x": path "../x": a path may not begin with ".."'],
  ['a=b/../c', 'entry "a=b/../c": path "b/../c": a path may not have a component ".."'],
  [
    'x/a_b@c.d=/',
    'entry "x/a_b@c.d=/": type "x": expected one of secret, key, cert',
    `entry "x/a_b@c.d=/": name "a_b": ${nameRule}`,
    'entry "x/a_b@c.d=/": version "c.d": expected the id of a version, letters and digits only',
    'entry "x/a_b@c.d=/": path "/": a path is relative to the mount and may not begin with "/"',
  ],
]

for (const [entry, ...problems] of wrongEntries) {
  void t.test(`objects: invalid entry ${entry.slice(0, 20)}`, async (t) => {
    t.strictSame(parseEntry(entry), fail(...problems))
    t.strictSame(parseObjects(entry), fail(...problems))
  })
}

const name = fc.stringMatching(/^[0-9a-zA-Z-]{1,20}$/)

const path = fc
  .array(fc.oneof(fc.constantFrom('a', '.b', 'x=y', 'c@d', 'a b', '~', 'null'), fc.string({ minLength: 1 })), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => parts.join('/').trim())
  .filter((path) => pathProblem(path) === undefined)

const request: fc.Arbitrary<ObjectRequest> = fc
  .record(
    {
      name,
      path,
      type: fc.constantFrom('secret', 'key', 'cert'),
      version: fc.stringMatching(/^[0-9a-f]{32}$/),
      mode: fc.integer({ min: 0, max: 0o777 }),
      optional: fc.boolean(),
    },
    { requiredKeys: ['name'] },
  )
  .map(({ name, ...fields }) => objectRequest(name, fields))

void t.test('objects: a printed entry is read back', async () => {
  let printed = 0
  fc.assert(
    fc.property(request, (request) => {
      const entry = printEntry(request)
      if (entry === undefined) return request.optional || request.mode !== undefined || /[,\n]/.test(request.path)
      printed++
      const again = parseEntry(entry)
      return again.ok && fc.stringify(sorted(again.value)) === fc.stringify(sorted(request))
    }),
    { numRuns: 5000 },
  )
  if (printed < 200) throw new Error(`only ${printed} could be printed`)
})

const sorted = (object: object): object =>
  Object.fromEntries(Object.entries(object).toSorted(([one], [other]) => (one < other ? -1 : 1)))

void t.test('objects: a request that only YAML can express is not printed as an entry', async (t) => {
  for (const fields of [
    { mode: 0o400 },
    { optional: true },
    { history: 2 },
    { vault: 'x' },
    { path: 'a,b' },
    { path: ' a' },
    { property: 'x' },
  ]) {
    t.equal(printEntry(objectRequest('a', fields)), undefined)
  }
})
