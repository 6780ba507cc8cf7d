import t from 'tap'
import { parseObjects } from '../../../shared/objects/parse.ts'
import { yamlBounds } from '../../../shared/yaml-text.ts'

const nameRule = 'expected 1 to 127 letters, digits and dashes'

const wrongDocuments: [name: string, text: string, ...problems: string[]][] = [
  ['nothing', '', 'expected at least one object'],
  ['commas only', ' ,\n, ', 'expected at least one object'],
  ['an empty list', '[]', 'expected at least one object'],
  ['an empty map', '{}', 'expected at least one object'],
  ['a map of nothing', 'objects:', 'expected at least one object'],
  [
    'several wrong entries, all named',
    'a_b, ok, c_d',
    `entry "a_b": name "a_b": ${nameRule}`,
    `entry "c_d": name "c_d": ${nameRule}`,
  ],
  ['an unknown field', '- {name: a, alias: b}', 'object 1 ("a"): unknown field "alias"'],
  [
    'a typo in a field',
    '- {name: a, optionel: true}',
    'object 1 ("a"): unknown field "optionel" (did you mean "optional"?)',
  ],
  ["the CSI driver's names", '- {objectName: a}', 'object 1: unknown field "objectName"', 'object 1: name is required'],
  ['no name', '- {type: key}', 'object 1: name is required'],
  [
    'a name that says nothing',
    '- {name: ~}\n- {name: ""}',
    'object 1: name is required',
    'object 2 (""): name is required',
  ],
  ['a list in place of a text', '- {name: a, path: [b]}', 'object 1 ("a"): path: expected a text'],
  ['a list in a list', '- [a]', 'object 1: expected a map of fields or a compact entry'],
  ['an item that says nothing', '- a\n-', 'object 2: expected a map of fields or a compact entry'],
  [
    'a mode that is not octal',
    '- {name: a, mode: 0900}',
    'object 1 ("a"): mode "0900": expected three octal digits, with or without a leading 0, such as 0440',
  ],
  [
    'a mode with more bits',
    '- {name: a, mode: 4755}',
    'object 1 ("a"): mode "4755": expected three octal digits, with or without a leading 0, such as 0440',
  ],
  [
    'a history of none',
    '- {name: a, history: -1}',
    'object 1 ("a"): history "-1": expected a whole number from 1 to 100',
  ],
  [
    'a long history',
    '- {name: a, history: 101}',
    'object 1 ("a"): history "101": expected a whole number from 1 to 100',
  ],
  [
    'a history in words',
    '- {name: a, history: 1e1}',
    'object 1 ("a"): history "1e1": expected a whole number from 1 to 100',
  ],
  ['yes', '- {name: a, split: yes}', 'object 1 ("a"): split "yes": expected true or false'],
  ...['.a', 'a.', 'a..b', 'a\\', 'a\\b', 'x'.repeat(1025)].map((property): [string, string, string] => [
    `property ${property.slice(0, 9)}`,
    `- {name: a, property: '${property}'}`,
    `object 1 ("a"): property ${JSON.stringify(property.length > 80 ? `${property.slice(0, 77)}...` : property)}: expected the path of a field, such as db.password, list.0 or a\\.b, of at most 1024 characters`,
  ]),
  [
    'a truststore of a key, and one of a field',
    '[{name: a, type: key, format: truststore}, {name: b, format: truststore, encoding: hex, split: true, property: x}]',
    'object 1 ("a"): format truststore is for type secret only, not key',
    'object 2 ("b"): encoding hex cannot be combined with format truststore; leave one out',
    'object 2 ("b"): split cannot be combined with format truststore; leave one out',
    'object 2 ("b"): property cannot be combined with format truststore; leave one out',
  ],
  [
    'a field of a key',
    '- {name: a, type: key, property: x}',
    'object 1 ("a"): property is for type secret only, not key',
  ],
  [
    'a field that is a certificate',
    '- {name: a, property: x, format: pfx, split: true}',
    'object 1 ("a"): format pfx cannot be combined with property; leave one out',
    'object 1 ("a"): split cannot be combined with property; leave one out',
  ],
  [
    'an unknown format',
    '- {name: a, format: pkcs12}',
    'object 1 ("a"): format "pkcs12": expected one of pem, pfx, truststore',
  ],
  [
    'an unknown encoding',
    '- {name: a, encoding: utf8}',
    'object 1 ("a"): encoding "utf8": expected one of utf-8, base64, hex (did you mean "utf-8"?)',
  ],
  [
    'fields of a secret on a key',
    '- {name: a, type: key, format: pfx, encoding: hex, split: true}',
    'object 1 ("a"): format pfx is for type secret only, not key',
    'object 1 ("a"): encoding hex is for type secret only, not key',
    'object 1 ("a"): split is for type secret only, not key',
  ],
  ['one path twice', 'a=x, key/b=x', 'key b and secret a are both written to "x"; give one of them another path'],
  [
    'a file and its folder',
    'a=x, b=x/y',
    'secret b is written to "x/y", but secret a is a file at "x"; give one of them another path',
  ],
  [
    'a history where a file is',
    '- {name: a, history: 2}\n- {name: b, path: a}',
    'secret a is written to "a/0", but secret b is a file at "a"; give one of them another path',
  ],
  [
    'a split file where a file is',
    '- {name: a, split: true}\n- {name: b, path: a.key}',
    'secret b and secret a are both written to "a.key"; give one of them another path',
  ],
  [
    'a path that only what split adds makes too long',
    `- {name: a, split: true, path: ${'b'.repeat(252)}}`,
    `object 1 ("a"): path "${'b'.repeat(77)}...": with what history and split add to it, a component of a path may be at most 255 bytes long`,
  ],
  [
    'a path that only what history adds makes too long',
    `- {name: a, history: 2, path: ${'b/'.repeat(2047)}b}`,
    `object 1 ("a"): path "${'b/'.repeat(38)}b...": with what history and split add to it, a path may be at most 4096 bytes long`,
  ],
  [
    'a template where a file is',
    '{objects: [a], templates: {a: x}}',
    'template "a" and secret a are both written to "a"; give one of them another path',
  ],
  [
    'a bundle where a template is',
    '{objects: [a], templates: {b: x}, bundles: {b: json}}',
    'bundle "b" and template "b" are both written to "b"; give one of them another path',
  ],
  [
    'too many files',
    `[${Array.from({ length: 13 }, (_, i) => `{name: a${i}, history: 100, split: true}`).join()}]`,
    '5200 files are more than a pod may have, 5000',
  ],
  ['an unknown part', '{objects: [a], template: {}}', 'unknown field "template" (did you mean "templates"?)'],
  [
    'parts of the wrong kind',
    '{objects: a, templates: [], bundles: x}',
    'objects: expected a list',
    'templates: expected a map of paths to texts',
    'bundles: expected a map of paths to formats',
  ],
  [
    'a template in the parent',
    '{objects: [a], templates: {../x: y}}',
    'templates, "../x": a path may not begin with ".."',
  ],
  ['a template that is a list', '{objects: [a], templates: {x: [y]}}', 'templates, "x": expected a text'],
  [
    'an unknown bundle',
    '{objects: [a], bundles: {x: toml, /y: jsn}}',
    'bundles, "x": expected one of dotenv, json, yaml, properties',
    'bundles, "/y": a path is relative to the mount and may not begin with "/"',
    'bundles, "/y": expected one of dotenv, json, yaml, properties (did you mean "json"?)',
  ],
  ['a field twice', '- {name: a, name: b}', 'not valid YAML: Map keys must be unique'],
  ['a list that is not closed', '[a, b', /^not valid YAML: /.source],
  ['two documents', '- a\n---\n- b', 'not valid YAML: Source contains multiple documents; one is expected'],
  ['a scalar', '--- a', 'expected a list of objects, or a map of objects, templates and bundles'],
  [
    'aliases of aliases',
    'objects: &a [x,x,x,x,x,x,x,x]\ntemplates: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nbundles: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]',
    'unknown field "d"',
    'templates: expected a map of paths to texts',
    'bundles: expected a map of paths to formats',
  ],
  [
    'more aliases than are read',
    `[&a x, ${'*a , '.repeat(yamlBounds.aliases + 1)}]`,
    'the text has more than 100 aliases: write the values out',
  ],
  ['a key that is a map', '- {name: a, {x: y}: b}', 'not valid YAML: Map keys must be texts'],
  ['a tag of a key that stands twice', '- {name: a, !x name: b}', 'not valid YAML: Map keys must be unique'],
  ['more objects than a pod may have', `[${'a,'.repeat(501)}]`, '501 objects are more than a pod may have, 500'],
  ['more compact objects than a pod may have', 'a,'.repeat(501), '501 objects are more than a pod may have, 500'],
  [
    'more text than is read',
    `# ${'x'.repeat(yamlBounds.characters)}`,
    "the text has 65538 characters, and at most 65536 are read: move objects into a SecretProviderClass, or split the pod's objects",
  ],
  [
    'more parts than are read',
    '- a\n'.repeat(yamlBounds.parts / 4),
    'the text has more than 12000 words, signs and lines: split it',
  ],
  [
    'more lines in a text than are read',
    `templates: {x: "${'\n'.repeat(yamlBounds.parts)}"}`,
    'the text has more than 12000 words, signs and lines: split it',
  ],
  [
    'paths that are too long in all',
    `[${Array.from({ length: 16 }, (_, i) => `{name: a${i}, history: 100, path: ${'b/'.repeat(100)}${i}}`).join()}]`,
    'the paths of all files have 322200 characters, and at most 262144 may be: shorten them',
  ],
  [
    'collections that nest deeper than is read',
    `objects: [a]\nx: ${'['.repeat(40)}`,
    'the text nests deeper than 16 levels',
  ],
]

for (const [name, text, ...problems] of wrongDocuments) {
  void t.test(`objects: an invalid document is rejected, ${name}`, async (t) => {
    const parsed = parseObjects(text)
    if (parsed.ok) return t.fail('it is accepted')
    if (problems[0]?.startsWith('^')) return t.match(parsed.problems[0], new RegExp(problems[0]))
    t.strictSame(parsed.problems, problems)
  })
}
