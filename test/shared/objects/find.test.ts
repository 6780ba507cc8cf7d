import fc from 'fast-check'
import t from 'tap'
import {
  filesOfFind,
  findName,
  matchedObject,
  matchesName,
  matchPath,
  selects,
  selectsAll,
} from '../../../shared/objects/find.ts'
import { parseObjects } from '../../../shared/objects/parse.ts'
import { fail, ok } from '../../../shared/result.ts'
import { findRequest } from '../../support/find-spec.ts'

const read = (find: string) => {
  const parsed = parseObjects(`[{ find: ${find} }]`)
  return parsed.ok ? ok(parsed.value.finds) : parsed
}

void t.test('find: every default', async (t) => {
  t.strictSame(read('{ tags: { app: web } }'), ok([findRequest({ tags: { app: 'web' } })]))
})

void t.test('find: every field', async (t) => {
  t.strictSame(
    read(
      "{ type: SECRET, vault: other-kv, name: 'web-*', tags: { app: web, a.b: '' }, group: web, path: 'web/{name}.txt', format: pfx, encoding: base64, mode: '0400', optional: 'true' }",
    ),
    ok([
      findRequest({
        ...{ vault: 'other-kv', name: 'web-*', tags: { app: 'web', 'a.b': '' }, group: 'web', path: 'web/{name}.txt' },
        ...{ format: 'pfx', convert: true, encoding: 'base64', mode: 0o400, optional: true },
      }),
    ]),
  )
  t.strictSame(read('{ type: cert, name: web }'), ok([findRequest({ type: 'cert', name: 'web' })]))
  t.strictSame(read('{ name: a, property: b.0, split: false }'), ok([findRequest({ name: 'a', property: 'b.0' })]))
})

void t.test('find: several, beside named objects, in a map with templates', async (t) => {
  const parsed = parseObjects(
    '{ objects: [a, { find: { name: "b-*" } }, { name: c }, { find: { name: d } }], templates: { e: x } }',
  )
  t.match(parsed, { value: { objects: [{ name: 'a' }, { name: 'c' }], finds: [{ name: 'b-*' }, { name: 'd' }] } })
  t.match(parseObjects('[{ find: { name: d } }]'), { ok: true }, 'nothing has to be named')
})

const wrong: [name: string, find: string, ...problems: string[]][] = [
  [
    'a text',
    'web-*',
    'object 1: find: expected a map of type, name, tags, group, path, vault, format, encoding, property, mode, optional, split',
  ],
  [
    'a pattern',
    '{ name: "web.*" }',
    'object 1: find: name "web.*": expected 1 to 127 letters, digits and dashes, in which * stands for any characters',
  ],
  [
    'an unknown placeholder',
    '{ path: "{nam}.txt" }',
    'object 1: find: path "{nam}.txt": expected no braces but {name}, not "{nam}"',
  ],
  ['a brace', '{ path: "{name}{" }', 'object 1: find: path "{name}{": expected no braces but {name}, not "{"'],
  [
    'a path out of the mount',
    '{ path: "../{name}" }',
    'object 1: find: path "../{name}": a path may not begin with ".."',
  ],
  ['a version', '{ version: abc }', 'object 1: find: version is for objects that are named, not for a find'],
  ['a history', '{ history: 3 }', 'object 1: find: history is for objects that are named, not for a find'],
  ['a typo', '{ tag: { a: b } }', 'object 1: find: unknown field "tag" (did you mean "tags"?)'],
  [
    'a group',
    '{ group: 1a }',
    'object 1: find: group "1a": expected a letter, and at most 62 letters, digits, dashes and underscores',
  ],
  ['tags that are a list', '{ tags: [a] }', 'object 1: find: tags: expected a map of tags to values'],
  [
    'a tag that is a list',
    '{ tags: { a: [b] } }',
    'object 1: find: tags: "a": expected a text of at most 256 characters',
  ],
  ['a tag without a value', '{ tags: { a: } }', 'object 1: find: tags: "a": expected a text of at most 256 characters'],
  [
    'a long tag',
    `{ tags: { a: ${'x'.repeat(257)} } }`,
    'object 1: find: tags: "a": expected a text of at most 256 characters',
  ],
  [
    'too many tags',
    `{ tags: { ${Array.from({ length: 16 }, (_, index) => `t${index}: x`).join(', ')} } }`,
    'object 1: find: tags: 16 are more than an object has, 15',
  ],
  ['what does not go together', '{ type: key, split: true }', 'object 1: find: split is for type secret only, not key'],
  ['a text in place of a list', '{ name: [a] }', 'object 1: find: name: expected a text'],
  [
    'two fixed paths',
    '{ name: a, path: x } }, { find: { name: b, path: x }',
    'find of secrets b and find of secrets a are both written to "x"; give one of them another path',
  ],
  ['too many', `{} ${'}, { find: {}'.repeat(20)}`, '21 finds are more than a pod may have, 20'],
]
for (const [name, find, ...problems] of wrong)
  void t.test(`find, wrong: ${name}`, async (t) => t.strictSame(read(find), fail(...problems)))

void t.test('find: its fields belong into its map', async (t) => {
  t.strictSame(
    parseObjects('[{ find: { name: a }, path: x }]'),
    fail('object 1: "path" beside find: write the fields of a find into its map'),
  )
  t.match(parseObjects('[{ name: a, path: x }, { find: { name: b, path: x/y } }]'), {
    problems: ['find of secrets b is written to "x/y", but secret a is a file at "x"; give one of them another path'],
  })
})

const names: [pattern: string, name: string, isMatch: boolean][] = [
  ['*', 'a', true],
  ['web-*', 'web-a', true],
  ['web-*', 'WEB-A', true],
  ['WEB-*', 'web-a', true],
  ['web-*', 'web-', true],
  ['web-*', 'aweb-a', false],
  ['*-key', 'web-key', true],
  ['*-key', 'web-key2', false],
  ['a*b*c', 'abc', true],
  ['a*b*c', 'aXbYbZc', true],
  ['a*b*c', 'acb', false],
  ['ab*ba', 'aba', false],
  ['web', 'web', true],
  ['web', 'web2', false],
  ['**', 'x', true],
]
for (const [pattern, name, isMatch] of names)
  void t.test(`find: ${pattern} ${isMatch ? 'matches' : 'does not match'} ${name}`, async (t) =>
    t.equal(matchesName(pattern, name), isMatch),
  )

void t.test('find: names match as a regular expression says', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 8 })
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*'), maxLength: 6 })
  fc.assert(
    fc.property(
      pattern,
      text,
      (pattern, name) => matchesName(pattern, name) === new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name),
    ),
    { numRuns: 2000 },
  )
})

void t.test('find: a pattern that a regular expression would take hours for', async (t) => {
  const started = performance.now()
  t.notOk(matchesName(`${'*a'.repeat(60)}*b`, 'a'.repeat(127)))
  t.ok(performance.now() - started < 100)
})

void t.test('find: every tag has to be there, as it is spelled', async (t) => {
  const find = { name: '*', tags: { app: 'web', team: 'shop' } }
  t.ok(selects(find, { name: 'a', tags: { app: 'web', team: 'shop', other: 'x' } }))
  t.notOk(selects(find, { name: 'a', tags: { app: 'web' } }))
  t.notOk(selects(find, { name: 'a', tags: { app: 'Web', team: 'shop' } }))
  t.notOk(selects({ name: '*', tags: { constructor: 'x' } }, { name: 'a', tags: {} }))
})

void t.test('find: what selects everything', async (t) => {
  t.ok(selectsAll({ name: '*', tags: {} }))
  t.ok(selectsAll({ name: '*-*', tags: {} }), 'which nearly every name has')
  t.notOk(selectsAll({ name: '*', tags: { a: '' } }))
  t.notOk(selectsAll({ name: 'a*', tags: {} }))
})

void t.test('find: paths and objects of matches', async (t) => {
  t.equal(matchPath({ path: '{name}/{name}.txt' }, 'a'), 'a/a.txt')
  const find = { ...findRequest({ name: 'web-*', path: 'x/{name}', split: true }), vault: 'https://v', identity: 2 }
  t.match(matchedObject(find, 'web-a'), { vault: 'https://v', identity: 2, name: 'web-a', path: 'x/web-a', history: 1 })
  t.notOk('tags' in matchedObject(find, 'web-a'))
  t.strictSame(filesOfFind(find), [])
  t.equal(filesOfFind({ ...find, path: 'x' }).length, 4)
})

void t.test('find: its name in messages is bounded and on one line', async (t) => {
  t.equal(findName(findRequest({ name: 'web-*' })), 'find of secrets web-*')
  const tags = { 'a\n"': 'x'.repeat(256), b: '1', c: '2', d: '3' }
  t.match(findName(findRequest({ tags })), /^find of secrets \* with tag a\\n\\"=x{10,60}\.\.\., b=1, c=2, \.\.\.$/)
})
