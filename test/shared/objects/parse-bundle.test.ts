import t from 'tap'
import type { BundleSpec } from '../../../shared/objects/schema.ts'
import { parseBundle, parseBundleFormat } from '../../../shared/objects/parse-bundle.ts'
import { fail, ok, type Result } from '../../../shared/result.ts'

void t.test('bundles: the known formats are accepted, and another one is rejected with a suggestion', async (t) => {
  t.strictSame(parseBundleFormat(' JSON '), ok('json'))
  t.strictSame(parseBundleFormat('env'), fail('expected one of dotenv, json, yaml, properties'))
})

const bundles: [name: string, value: unknown, bundle: Result<BundleSpec>][] = [
  ['a format', 'JSON', ok('json')],
  ['a map of a format only', { format: 'dotenv' }, ok('dotenv')],
  [
    'every field',
    { format: 'Dotenv', only: ['a', 'b/c'], except: ['d'], names: { a: 'A_1' } },
    ok({ format: 'dotenv', only: ['a', 'b/c'], except: ['d'], names: { a: 'A_1' } }),
  ],
  ['fields that are not set', { format: 'json', only: null, except: null, names: null }, ok('json')],
  ['a list', ['dotenv'], fail('expected a format, or a map of format, only, groups, except and names')],
  ['no format', { only: ['a'] }, fail('format is required')],
  [
    'several problems',
    { format: 'json', only: [], expect: ['a'], except: 'a', names: ['a'] },
    fail(
      'unknown field "expect" (did you mean "except"?)',
      'only: expected a list of names or paths of secrets',
      'except: expected a list of names or paths of secrets',
      'names: expected a map of names or paths of secrets to names in the bundle',
    ),
  ],
  [
    'a map in a list',
    { format: 'json', only: [{ a: 'b' }] },
    fail('only: expected a list of names or paths of secrets'),
  ],
  ...['1A', 'A-B', '', 'A=B', 'Ä', 'A\n'].map((name): [string, unknown, Result<BundleSpec>] => [
    `the variable ${JSON.stringify(name)}`,
    { format: 'dotenv', names: { a: name } },
    fail(
      'names, "a": expected the name of an environment variable: at most 256 letters, digits and underscores, no digit first',
    ),
  ]),
  ...['a=b', 'a b', '', 'a:', '#a', 'x'.repeat(257)].map((name): [string, unknown, Result<BundleSpec>] => [
    `the key ${JSON.stringify(name.slice(0, 5))}`,
    { format: 'properties', names: { a: name } },
    fail('names, "a": expected at most 256 letters, digits, dots, dashes, underscores and brackets'),
  ]),
]

for (const [name, value, bundle] of bundles) {
  void t.test(`bundles: ${name}`, async (t) => t.strictSame(parseBundle(value), bundle))
}
