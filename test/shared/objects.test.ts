import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { ObjectRequest } from '../../shared/object-spec.ts'
import {
  checkObject,
  objectFields,
  parseBundleFormat,
  parseEntry,
  parseMode,
  parseObjects,
  printEntry,
} from '../../shared/objects.ts'
import { fail, ok } from '../../shared/parsed.ts'
import { pathProblem } from '../../shared/paths.ts'
import { readYaml, yamlBounds } from '../../shared/yaml-text.ts'

const object = (name: string, fields: Partial<ObjectRequest> = {}): ObjectRequest => ({
  type: 'secret',
  name,
  path: name,
  history: 1,
  format: 'pem',
  encoding: 'utf-8',
  optional: false,
  split: false,
  ...fields,
})

const version = '0123456789abcdef0123456789abcdef'
const entries: [entry: string, object: ObjectRequest][] = [
  ['db-password', object('db-password')],
  ['secret/db-password', object('db-password')],
  ['key/signing', object('signing', { type: 'key' })],
  ['cert/web-tls=tls.pem', object('web-tls', { type: 'cert', path: 'tls.pem' })],
  ['CERT/web-tls', object('web-tls', { type: 'cert' })],
  [`db-password@${version}`, object('db-password', { version })],
  ['db-password@latest', object('db-password')],
  [`secret/a@${version}=b/c`, object('a', { version, path: 'b/c' })],
  ['a=.env', object('a', { path: '.env' })],
  ['a=b=c@d', object('a', { path: 'b=c@d' })],
  ['a = b c ', object('a', { path: 'b c' })],
  ['null', object('null')],
  ['a=null', object('a', { path: 'null' })],
  ['---a', object('---a')],
  ['123', object('123')],
]
for (const [entry, expected] of entries) {
  void t.test(`entry ${entry}`, async (t) => {
    t.strictSame(parseEntry(entry), ok(expected))
    t.strictSame(parseObjects(entry), ok({ objects: [expected], templates: {}, bundles: {} }))
  })
}

const form = 'expected [secret/|key/|cert/]name[@version][=path]'
const nameRule = 'expected 1 to 127 letters, digits and dashes'
const wrongEntries: [entry: string, ...problems: string[]][] = [
  ['secrets/a', 'entry "secrets/a": type "secrets": expected one of secret, key, cert (did you mean "secret"?)'],
  ['certificate/a', 'entry "certificate/a": type "certificate": expected one of secret, key, cert'],
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
  ['a=/etc/passwd', 'entry "a=/etc/passwd": path "/etc/passwd": a path is relative to the mount and may not begin with "/"'],
  ['a=../x', 'entry "a=../x": path "../x": a path may not begin with ".."'],
  ['a=b/../c', 'entry "a=b/../c": path "b/../c": a path may not have a component ".."'],
  ['x/a_b@c.d=/', 'entry "x/a_b@c.d=/": type "x": expected one of secret, key, cert', `entry "x/a_b@c.d=/": name "a_b": ${nameRule}`, 'entry "x/a_b@c.d=/": version "c.d": expected the id of a version, letters and digits only', 'entry "x/a_b@c.d=/": path "/": a path is relative to the mount and may not begin with "/"'],
] // prettier-ignore
for (const [entry, ...problems] of wrongEntries) {
  void t.test(`wrong entry ${entry.slice(0, 20)}`, async (t) => {
    t.strictSame(parseEntry(entry), fail(...problems))
    t.strictSame(parseObjects(entry), fail(...problems))
  })
}

const one = object('a')
const two = object('b', { type: 'key', path: 'k' })
const documents: [name: string, text: string, objects: ObjectRequest[], templates?: object, bundles?: object][] = [
  ['entries split by commas', 'a, key/b=k', [one, two]],
  ['entries split by lines and commas, some empty', '\n a\n\n ,key/b=k,\n', [one, two]],
  ['a YAML list of entries', '- a\n- key/b=k\n', [one, two]],
  ['a flow list', '[a, key/b=k]', [one, two]],
  ['a list of maps', '- name: a\n- {type: key, name: b, path: k}', [one, two]],
  ['a list of both, behind a comment', '# ours\n- name: a\n- key/b=k', [one, two]],
  ['JSON', '{"objects": [{"name": "a"}, "key/b=k"]}', [one, two]],
  ['a document marker', '---\n- a\n- key/b=k', [one, two]],
  ['every field', '- name: a\n  vault: other-kv\n  type: secret\n  version: "0123"\n  path: x/y\n  history: 3\n  format: pfx\n  encoding: base64\n  mode: 0440\n  optional: true\n  split: true', [object('a', { vault: 'other-kv', version: '0123', path: 'x/y', history: 3, format: 'pfx', encoding: 'base64', mode: 0o440, optional: true, split: true })]],
  ['words in capitals', '- {name: a, type: Secret, format: PFX, encoding: UTF-8, version: Latest}', [object('a', { format: 'pfx' })]],
  ['numbers that stay texts', '- {name: 1e3, version: 0010, mode: 0644}', [object('1e3', { version: '0010', mode: 0o644 })]],
  ['a mode without the first zero', '- {name: a, mode: 400}', [object('a', { mode: 0o400 })]],
  ['no history at all', '- {name: a, history: 0}', [one]],
  ['fields that say nothing', '- {name: a, type: ~, path: null, version: , format: "", history: NULL, mode: "  ", split: ~}', [one]],
  ['null in quotes is a text', "- {name: 'null', path: \"~\"}", [object('null', { path: '~' })]],
  ['texts with spaces around', '- {name: " a ", path: " x "}', [object('a', { path: 'x' })]],
  ['an anchor and its alias', '- &x {name: a}\n- {name: b, type: key, path: k}\n', [one, two]],
  ['templates and bundles', 'objects: [a]\ntemplates:\n  conf/app.ini: |\n    password = {{ a }}\nbundles: {.env: dotenv, all.yaml: YAML}', [one], { 'conf/app.ini': 'password = {{ a }}\n' }, { '.env': 'dotenv', 'all.yaml': 'yaml' }],
  ['templates only, for objects from elsewhere', 'templates: {x: "{{ a }}"}', [], { x: '{{ a }}' }],
  ['parts that say nothing', 'objects: [a]\ntemplates:\nbundles: ~', [one]],
  ['a path that is a word of JavaScript', 'objects: [a]\ntemplates: {__proto__: x, constructor: y}', [one], JSON.parse('{"__proto__": "x", "constructor": "y"}') as object],
] // prettier-ignore
for (const [name, text, objects, templates = {}, bundles = {}] of documents) {
  void t.test(`document: ${name}`, async (t) => {
    const parsed = parseObjects(text)
    t.strictSame(parsed, ok({ objects, templates, bundles }))
    t.strictSame(parsed.ok && Object.entries(parsed.value.templates), Object.entries(templates))
  })
}

const wrongDocuments: [name: string, text: string, ...problems: string[]][] = [
  ['nothing', '', 'expected at least one object'],
  ['commas only', ' ,\n, ', 'expected at least one object'],
  ['an empty list', '[]', 'expected at least one object'],
  ['an empty map', '{}', 'expected at least one object'],
  ['a map of nothing', 'objects:', 'expected at least one object'],
  ['several wrong entries, all named', 'a_b, ok, c_d', `entry "a_b": name "a_b": ${nameRule}`, `entry "c_d": name "c_d": ${nameRule}`],
  ['an unknown field', '- {name: a, alias: b}', 'object 1 ("a"): unknown field "alias"'],
  ['a typo in a field', '- {name: a, optionel: true}', 'object 1 ("a"): unknown field "optionel" (did you mean "optional"?)'],
  ["the CSI driver's names", '- {objectName: a}', 'object 1: unknown field "objectName"', 'object 1: name is required'],
  ['no name', '- {type: key}', 'object 1: name is required'],
  ['a name that says nothing', '- {name: ~}\n- {name: ""}', 'object 1: name is required', 'object 2 (""): name is required'],
  ['a list in place of a text', '- {name: a, path: [b]}', 'object 1 ("a"): path: expected a text'],
  ['a list in a list', '- [a]', 'object 1: expected a map of fields or a compact entry'],
  ['an item that says nothing', '- a\n-', 'object 2: expected a map of fields or a compact entry'],
  ['a mode that is not octal', '- {name: a, mode: 0900}', 'object 1 ("a"): mode "0900": expected three octal digits, with or without a leading 0, such as 0440'],
  ['a mode with more bits', '- {name: a, mode: 4755}', 'object 1 ("a"): mode "4755": expected three octal digits, with or without a leading 0, such as 0440'],
  ['a history of none', '- {name: a, history: -1}', 'object 1 ("a"): history "-1": expected a whole number from 1 to 100'],
  ['a long history', '- {name: a, history: 101}', 'object 1 ("a"): history "101": expected a whole number from 1 to 100'],
  ['a history in words', '- {name: a, history: 1e1}', 'object 1 ("a"): history "1e1": expected a whole number from 1 to 100'],
  ['yes', '- {name: a, split: yes}', 'object 1 ("a"): split "yes": expected true or false'],
  ['an unknown format', '- {name: a, format: pkcs12}', 'object 1 ("a"): format "pkcs12": expected one of pem, pfx'],
  ['an unknown encoding', '- {name: a, encoding: utf8}', 'object 1 ("a"): encoding "utf8": expected one of utf-8, base64, hex (did you mean "utf-8"?)'],
  ['fields of a secret on a key', '- {name: a, type: key, format: pfx, encoding: hex, split: true}', 'object 1 ("a"): format pfx is for type secret only, not key', 'object 1 ("a"): encoding hex is for type secret only, not key', 'object 1 ("a"): split is for type secret only, not key'],
  ['one path twice', 'a=x, key/b=x', 'key b and secret a are both written to "x"; give one of them another path'],
  ['a file and its folder', 'a=x, b=x/y', 'secret b is written to "x/y", but secret a is a file at "x"; give one of them another path'],
  ['a history where a file is', '- {name: a, history: 2}\n- {name: b, path: a}', 'secret a is written to "a/0", but secret b is a file at "a"; give one of them another path'],
  ['a split file where a file is', '- {name: a, split: true}\n- {name: b, path: a.key}', 'secret b and secret a are both written to "a.key"; give one of them another path'],
  ['a path that only what split adds makes too long', `- {name: a, split: true, path: ${'b'.repeat(252)}}`, `object 1 ("a"): path "${'b'.repeat(77)}...": with what history and split add to it, a component of a path may be at most 255 bytes long`],
  ['a path that only what history adds makes too long', `- {name: a, history: 2, path: ${'b/'.repeat(2047)}b}`, `object 1 ("a"): path "${'b/'.repeat(38)}b...": with what history and split add to it, a path may be at most 4096 bytes long`],
  ['a template where a file is', '{objects: [a], templates: {a: x}}', 'template "a" and secret a are both written to "a"; give one of them another path'],
  ['a bundle where a template is', '{objects: [a], templates: {b: x}, bundles: {b: json}}', 'bundle "b" and template "b" are both written to "b"; give one of them another path'],
  ['too many files', `[${Array.from({ length: 17 }, (_, i) => `{name: a${i}, history: 100, split: true}`).join()}]`, '5100 files are more than a pod may have, 5000'],
  ['an unknown part', '{objects: [a], template: {}}', 'unknown field "template" (did you mean "templates"?)'],
  ['parts of the wrong kind', '{objects: a, templates: [], bundles: x}', 'objects: expected a list', 'templates: expected a map of paths to texts', 'bundles: expected a map of paths to formats'],
  ['a template in the parent', '{objects: [a], templates: {../x: y}}', 'templates, "../x": a path may not begin with ".."'],
  ['a template that is a list', '{objects: [a], templates: {x: [y]}}', 'templates, "x": expected a text'],
  ['an unknown bundle', '{objects: [a], bundles: {x: toml, /y: jsn}}', 'bundles, "x": expected one of dotenv, json, yaml, properties', 'bundles, "/y": a path is relative to the mount and may not begin with "/"', 'bundles, "/y": expected one of dotenv, json, yaml, properties (did you mean "json"?)'],
  ['a field twice', '- {name: a, name: b}', 'not valid YAML: Map keys must be unique'],
  ['a list that is not closed', '[a, b', /^not valid YAML: /.source],
  ['two documents', '- a\n---\n- b', 'not valid YAML: Source contains multiple documents; one is expected'],
  ['a scalar', '--- a', 'expected a list of objects, or a map of objects, templates and bundles'],
  ['aliases of aliases', 'objects: &a [x,x,x,x,x,x,x,x]\ntemplates: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nbundles: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]', 'unknown field "d"', 'templates: expected a map of paths to texts', 'bundles: expected a map of paths to formats'],
  ['more aliases than are read', `[&a x, ${'*a , '.repeat(yamlBounds.aliases + 1)}]`, 'the text has more than 100 aliases: write the values out'],
  ['a key that is a map', '- {name: a, {x: y}: b}', 'not valid YAML: Map keys must be texts'],
  ['a tag of a key that stands twice', '- {name: a, !x name: b}', 'not valid YAML: Map keys must be unique'],
  ['more objects than a pod may have', `[${'a,'.repeat(501)}]`, '501 objects are more than a pod may have, 500'],
  ['more compact objects than a pod may have', 'a,'.repeat(501), '501 objects are more than a pod may have, 500'],
  ['more text than is read', `# ${'x'.repeat(yamlBounds.characters)}`, "the text has 65538 characters, and at most 65536 are read: move objects into a SecretProviderClass, or split the pod's objects"],
  ['more parts than are read', '- a\n'.repeat(yamlBounds.parts / 4), 'the text has more than 12000 words, signs and lines: split it'],
  ['more lines in a text than are read', `templates: {x: "${'\n'.repeat(yamlBounds.parts)}"}`, 'the text has more than 12000 words, signs and lines: split it'],
  ['paths that are too long in all', `[${Array.from({ length: 16 }, (_, i) => `{name: a${i}, history: 100, path: ${'b/'.repeat(100)}${i}}`).join()}]`, 'the paths of all files have 322200 characters, and at most 262144 may be: shorten them'],
  ['collections that nest deeper than is read', `objects: [a]\nx: ${'['.repeat(40)}`, 'the text nests deeper than 16 levels'],
] // prettier-ignore
for (const [name, text, ...problems] of wrongDocuments) {
  void t.test(`wrong document: ${name}`, async (t) => {
    const parsed = parseObjects(text)
    if (parsed.ok) return t.fail('it is accepted')
    if (problems[0]?.startsWith('^')) return t.match(parsed.problems[0], new RegExp(problems[0]))
    t.strictSame(parsed.problems, problems)
  })
}

void t.test('a document nested without end is refused', async (t) => {
  for (const text of ['['.repeat(20_000), '{a: '.repeat(20_000), '- '.repeat(20_000)]) t.notOk(parseObjects(text).ok)
})

void t.test('a map of words reads as by the library', async () => {
  const word = fc.constantFrom('a', 'b', 'null', 'NULL', '~', '', '0755', '1e3', 'a.b/c-d', '-', '- a', 'a: b', 'a #b', '"a"', 'true', '.', 'a:', '&a', '*a', '!a', '|', 'a ', ' a') // prettier-ignore
  const line = fc.tuple(
    fc.constantFrom('a', 'b', 'null', 'B', 'a b', '-', '?'),
    fc.constantFrom(': ', ':', ' : ', ':  '),
    word,
  )
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 4 }),
      fc.constantFrom('', '\n', '\n\n', ' \n'),
      (lines, end) => {
        const text = lines.map((parts) => parts.join('')).join('\n')
        // A comment is not a word: the library reads it.
        const [one, other] = [readYaml(text + end), readYaml(`${text}\n# comment${end}`)]
        return one.ok ? isDeepStrictEqual(one, other) : !other.ok
      },
    ),
    { numRuns: 2_000 },
  )
})

void t.test('plain nulls are null, quoted ones and keys are texts', async (t) => {
  t.strictSame(
    readYaml('{a: null, b: ~, c: , d: NULL, e: "null", f: \'~\', null: 1, g: 0755, h: true, i: nullable}'),
    ok({ a: null, b: null, c: null, d: null, e: 'null', f: '~', null: '1', g: '0755', h: 'true', i: 'nullable' }),
  )
})

const modes: [text: string, mode: number | undefined][] = [
  ['0440', 0o440], ['644', 0o644], ['0000', 0], ['777', 0o777], ['0777', 0o777],
  ['', undefined], ['44', undefined], ['00440', undefined], ['1777', undefined], ['0o440', undefined], ['888', undefined], ['rw-', undefined], ['-644', undefined],
] // prettier-ignore
for (const [text, mode] of modes) {
  void t.test(`mode ${JSON.stringify(text)}`, async (t) => {
    const parsed = parseMode(text)
    t.equal(parsed.ok ? parsed.value : undefined, mode)
  })
}

void t.test('formats of bundles', async (t) => {
  t.strictSame(parseBundleFormat(' JSON '), ok('json'))
  t.strictSame(parseBundleFormat('env'), fail('expected one of dotenv, json, yaml, properties'))
})

void t.test('the fields are those of the documentation', async (t) => {
  t.strictSame(objectFields, ['vault', 'type', 'name', 'version', 'path', 'history', 'format', 'encoding', 'mode', 'optional', 'split']) // prettier-ignore
})

const name = fc.stringMatching(/^[0-9a-zA-Z-]{1,20}$/)
const path = fc
  .array(fc.oneof(fc.constantFrom('a', '.b', 'x=y', 'c@d', 'a b', '~', 'null'), fc.string({ minLength: 1 })), {
    minLength: 1,
    maxLength: 3,
  }) // prettier-ignore
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
  .map(({ name, ...fields }) => object(name, fields))

void t.test('what is printed as an entry is read back', async () => {
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

void t.test('what only YAML can say is not printed as an entry', async (t) => {
  for (const fields of [
    { mode: 0o400 },
    { optional: true },
    { history: 2 },
    { vault: 'x' },
    { path: 'a,b' },
    { path: ' a' },
  ]) {
    // prettier-ignore
    t.equal(printEntry(object('a', fields)), undefined)
  }
})

/** Texts that look like the annotation, to get past the first checks. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'ab0-_/@=,.~ \n\t:[]{}"\'#&*!|>%\\$\u0000é😀') }),
  fc
    .array(
      fc.constantFrom(
        'secret/',
        'key/',
        'a',
        'b-c',
        '@',
        '=',
        ',',
        '\n',
        '../',
        '/',
        '- ',
        'name: ',
        'path: ',
        'objects:',
        'templates:',
        '{',
        '}',
        '[',
        ']',
        ' ',
        '&x ',
        '*x',
        '? ',
        '~',
        'null',
      ),
    ) // prettier-ignore
    .map((parts) => parts.join('')),
)

void t.test('no text makes it throw, and none that it accepts leaves the mount', async () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const parsed = parseObjects(text)
      if (!parsed.ok) return parsed.problems.length > 0 && parsed.problems.every((problem) => problem !== '')
      const { objects, templates, bundles } = parsed.value
      const paths = [...objects.map(({ path }) => path), ...Object.keys(templates), ...Object.keys(bundles)]
      return paths.every((path) => pathProblem(path) === undefined) && objects.every(({ name }) => /^[0-9a-zA-Z-]+$/.test(name)) // prettier-ignore
    }),
    { numRuns: 5000 },
  )
})

void t.test('no map of fields makes it throw', async () => {
  const value = fc.oneof(anyText, fc.constant(null), fc.constantFrom('pfx', 'base64', 'true', '3', '0440'), fc.array(fc.string()), fc.integer()) // prettier-ignore
  const field = fc.oneof(fc.constantFrom(...objectFields), fc.string(), fc.constantFrom('__proto__', 'constructor'))
  fc.assert(
    fc.property(fc.dictionary(field, value), (fields) => {
      const parsed = checkObject(fields, 'here')
      return parsed.ok ? pathProblem(parsed.value.path) === undefined : parsed.problems.every((problem) => problem.startsWith('here: ')) // prettier-ignore
    }),
    { numRuns: 3000 },
  )
})
