import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { ObjectRequest } from '../../../shared/objects/spec.ts'
import { objectFields, parseMode, parseObjects } from '../../../shared/objects/parse.ts'
import { ok } from '../../../shared/result.ts'
import { readYaml } from '../../../shared/yaml-text.ts'
import { objectRequest } from '../../support/object-spec.ts'

const one = objectRequest('a')
const two = objectRequest('b', { type: 'key', path: 'k' })

const documents: [name: string, text: string, objects: ObjectRequest[], templates?: object, bundles?: object][] = [
  ['entries split by commas', 'a, key/b=k', [one, two]],
  ['entries split by lines and commas, some empty', '\n a\n\n ,key/b=k,\n', [one, two]],
  ['a YAML list of entries', '- a\n- key/b=k\n', [one, two]],
  ['a flow list', '[a, key/b=k]', [one, two]],
  ['a list of maps', '- name: a\n- {type: key, name: b, path: k}', [one, two]],
  ['a list of both, behind a comment', '# ours\n- name: a\n- key/b=k', [one, two]],
  ['JSON', '{"objects": [{"name": "a"}, "key/b=k"]}', [one, two]],
  ['a document marker', '---\n- a\n- key/b=k', [one, two]],
  [
    'every field',
    '- name: a\n  vault: other-kv\n  type: secret\n  version: "0123"\n  path: x/y\n  history: 3\n  format: pfx\n  encoding: base64\n  mode: 0440\n  optional: true\n  split: true',
    [
      objectRequest('a', {
        vault: 'other-kv',
        version: '0123',
        path: 'x/y',
        history: 3,
        format: 'pfx',
        convert: true,
        encoding: 'base64',
        mode: 0o440,
        optional: true,
        split: true,
      }),
    ],
  ],
  [
    'words in capitals',
    '- {name: a, type: Secret, format: PFX, encoding: UTF-8, version: Latest}',
    [objectRequest('a', { format: 'pfx', convert: true })],
  ],
  ['a format that is the default', '- {name: a, format: pem}', [objectRequest('a', { convert: true })]],
  [
    'a truststore',
    '- {name: a, type: cert, format: truststore}',
    [objectRequest('a', { type: 'cert', format: 'truststore', convert: true })],
  ],
  [
    'numbers that stay texts',
    '- {name: 1e3, version: 0010, mode: 0644}',
    [objectRequest('1e3', { version: '0010', mode: 0o644 })],
  ],
  [
    'a field of a secret, at a place in a list, and with a dot in its name',
    '- {name: a, property: db.password}\n- {name: a, path: x, property: 0}\n- {name: a, path: y, property: "a\\\\.b.c"}',
    [
      objectRequest('a', { property: 'db.password' }),
      objectRequest('a', { path: 'x', property: '0' }),
      objectRequest('a', { path: 'y', property: 'a\\.b.c' }),
    ],
  ],
  ['a mode without the first zero', '- {name: a, mode: 400}', [objectRequest('a', { mode: 0o400 })]],
  ['no history at all', '- {name: a, history: 0}', [one]],
  [
    'fields that say nothing',
    '- {name: a, type: ~, path: null, version: , format: "", history: NULL, mode: "  ", split: ~}',
    [one],
  ],
  ['null in quotes is a text', '- {name: \'null\', path: "~"}', [objectRequest('null', { path: '~' })]],
  ['texts with spaces around', '- {name: " a ", path: " x "}', [objectRequest('a', { path: 'x' })]],
  ['an anchor and its alias', '- &x {name: a}\n- {name: b, type: key, path: k}\n', [one, two]],
  [
    'templates and bundles',
    'objects: [a]\ntemplates:\n  conf/app.ini: |\n    password = {{ a }}\nbundles: {.env: dotenv, all.yaml: YAML}',
    [one],
    { 'conf/app.ini': 'password = {{ a }}\n' },
    { '.env': 'dotenv', 'all.yaml': 'yaml' },
  ],
  ['templates only, for objects from elsewhere', 'templates: {x: "{{ a }}"}', [], { x: '{{ a }}' }],
  ['parts that say nothing', 'objects: [a]\ntemplates:\nbundles: ~', [one]],
  [
    'a path that is a word of JavaScript',
    'objects: [a]\ntemplates: {__proto__: x, constructor: y}',
    [one],
    JSON.parse('{"__proto__": "x", "constructor": "y"}') as object,
  ],
]

for (const [name, text, objects, templates = {}, bundles = {}] of documents) {
  void t.test(`objects: a document is read, ${name}`, async (t) => {
    const parsed = parseObjects(text)
    t.strictSame(parsed, ok({ objects, templates, bundles }))
    t.strictSame(parsed.ok && Object.entries(parsed.value.templates), Object.entries(templates))
  })
}

void t.test('objects: a document with endless nesting is rejected', async (t) => {
  for (const text of ['['.repeat(20_000), '{a: '.repeat(20_000), '- '.repeat(20_000)]) t.notOk(parseObjects(text).ok)
})

void t.test('objects: a map of plain words reads as with the YAML library', async () => {
  const word = fc.constantFrom(
    'a',
    'b',
    'null',
    'NULL',
    '~',
    '',
    '0755',
    '1e3',
    'a.b/c-d',
    '-',
    '- a',
    'a: b',
    'a #b',
    '"a"',
    'true',
    '.',
    'a:',
    '&a',
    '*a',
    '!a',
    '|',
    'a ',
    ' a',
  )
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

void t.test('objects: plain nulls are null; quoted ones and keys are strings', async (t) => {
  t.strictSame(
    readYaml('{a: null, b: ~, c: , d: NULL, e: "null", f: \'~\', null: 1, g: 0755, h: true, i: nullable}'),
    ok({ a: null, b: null, c: null, d: null, e: 'null', f: '~', null: '1', g: '0755', h: 'true', i: 'nullable' }),
  )
})

const modes: [text: string, mode: number | undefined][] = [
  ['0440', 0o440],
  ['644', 0o644],
  ['0000', 0],
  ['777', 0o777],
  ['0777', 0o777],
  ['', undefined],
  ['44', undefined],
  ['00440', undefined],
  ['1777', undefined],
  ['0o440', undefined],
  ['888', undefined],
  ['rw-', undefined],
  ['-644', undefined],
]

for (const [text, mode] of modes) {
  void t.test(`objects: mode ${JSON.stringify(text)}`, async (t) => {
    const parsed = parseMode(text)
    t.equal(parsed.ok ? parsed.value : undefined, mode)
  })
}

void t.test('objects: the fields are those of the documentation', async (t) => {
  t.strictSame(objectFields, [
    'vault',
    'type',
    'name',
    'version',
    'path',
    'history',
    'format',
    'encoding',
    'property',
    'mode',
    'optional',
    'split',
  ])
})
