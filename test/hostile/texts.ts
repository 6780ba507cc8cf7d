import type { Limits } from '../../webhook/pod/limit-range.ts'
import type { Random } from '../webhook/mutations.ts'
import { annotated } from '../webhook/review-app.ts'

/** What a tenant writes into a cluster to be reviewed. */
export interface Attack {
  pod?: object
  namespace?: object
  /** The ServiceAccount's. */
  annotations?: Record<string, string>
  classes?: Record<string, unknown>
  limitRanges?: Limits[]
  configuration?: object
}

type Shape = (characters: number, random: Random) => string

/** A text repeated up to a length. */
const repeated = (text: string, length: number): string => text.repeat(Math.ceil(length / text.length)).slice(0, length)

/** Texts with a number in each, up to a length. */
function numbered(text: (index: number) => string, length: number): string {
  const parts: string[] = []
  for (let index = 0, size = 0; size < length; index++) {
    const part = text(index)
    parts.push(part)
    size += part.length
  }
  return parts.join('').slice(0, length)
}

const around = (before: string, unit: string, after = ''): Shape => (length) => before + repeated(unit, length - before.length - after.length) + after // prettier-ignore
const each = (before: string, unit: (index: number) => string, after = ''): Shape => (length) => before + numbered(unit, length - before.length - after.length) + after // prettier-ignore

/** Documents for the annotation `objects` and the parameter of a class: what a reader of YAML may do too often. */
const documents: Record<string, Shape> = {
  'distinct keys': each('', (index) => `k${index}: 1\n`),
  'distinct keys in braces': each('{', (index) => `k${index}: 1,`, '}'),
  'a set': each('{', (index) => `k${index},`, '}'),
  'one key again and again': around('', 'a: b\n'),
  'items of one letter': around('[', 'a,', ']'),
  'items of nothing': around('', '-\n'),
  'items that are dates': around('', '- 2020-01-01\n'),
  'brackets inside of brackets': around('', '['),
  'braces inside of braces': around('', '{a: '),
  'brackets that close what is not open': around('', ']'),
  'dashes inside of dashes': around('', '- '),
  'questions inside of questions': around('', '? '),
  'colons': around('', ': '),
  'deeper with each line': (length) => Array.from({ length: Math.floor(Math.sqrt(2 * length)) - 3 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''), // prettier-ignore
  'comments': around('- a\n', '#\n'),
  'one long comment': around('- a\n#', 'x'),
  'empty lines': around('- a', '\n', '- b'),
  'spaces': around('- a', ' ', '\n- b'),
  'documents': around('', '---\n'),
  'documents and what they hold': around('', 'a\n...\n'),
  'directives': around('', '%a\n', '---\na'),
  'anchors': each('[', (index) => `&a${index} x,`, ']'),
  'aliases of one anchor': around('[&a x,', '*a ,', ']'),
  'anchors, each with its alias': each('[', (index) => `&a${index} [x],*a${index} ,`, ']'),
  'aliases of aliases': (length) => Array.from({ length: 9 }, (_, index) => `a${index}: &a${index} [${repeated(index === 0 ? 'x,' : `*a${index - 1} ,`, Math.floor(length / 12))}]`).join('\n'), // prettier-ignore
  'tabs': around('', '\t- a\n'),
  'reserved signs': around('', '- @\n'),
  'anchors without a name': around('', '& '),
  'tags': around('', '- !a b\n'),
  'tags of the library': around('', '- !!str b\n'),
  'maps as keys': around('', '- {{a: b}: c}\n'),
  'merge keys': around('', '- <<: {a: b}\n'),
  'escapes that are none': around('- "', '\\q', '"'),
  'lines in quotes': around('- "', 'a\n ', '"'),
  'quotes that are not closed': around('', '- "a\n'),
  'a plain text of many lines': around('- ', 'a\n  '),
  'a block of short lines': around('- |\n', '  a\n'),
  'a folded block': around('- >\n', '  a\n\n'),
  'a block of empty lines': around('- |\n', '\n', '  a'),
  'many blocks': around('', '- |\n a\n'),
  'commas': around('[', ',', ']'),
  'colons in brackets': around('[', ':,', ']'),
  'a long key': around('', 'a', ': b'),
  'carriage returns': around('- a', '\r'),
  'byte order marks': around('', '\ufeff'),
  'entries': each('', (index) => `a${index},`),
  'entries that are wrong': around('', '_,'),
  'entries of types that are near': each('', (index) => `secre${index % 10}/a=b${index},`),
  'entries that clash': each('', (index) => `a${index}=p/${index % 7},`),
  'one path with many folders': around('a=', 'b/'),
  'paths with many folders': each('', (index) => `a${index}=${'b/'.repeat(500)}${index},`),
  'signs of an entry': around('a', '=@/'),
  'histories': each('[', (index) => `{name: a${index}, history: 100, split: true},`, ']'),
  'histories of long paths': each('[', (index) => `{name: a${index}, history: 100, path: ${'b/'.repeat(1000)}${index}},`, ']'), // prettier-ignore
  'fields that are not known': each('- {name: a,', (index) => `unknownfield${index}: x,`, '}'),
  'fields that are nearly known': each('- {name: a,', (index) => `optiona${index}: x,`, '}'),
  'parts that are not known': each('objects: [a]\n', (index) => `object${index}: x\n`),
  'templates': each('templates:\n', (index) => ` f${index}: x\n`),
  'bundles': each('objects: [a]\nbundles:\n', (index) => ` f${index}: dotenv\n`),
  'bundles of formats that are nearly known': each('bundles:\n', (index) => ` f${index}: dotenw\n`),
  'objects of three fields': each('', (index) => `- {name: object-${index}, type: secret, path: some/folder/object-${index}.txt}\n`), // prettier-ignore
  'vaults': each('', (index) => `- {name: a${index}, vault: v${index}-kv}\n`),
  'noise': (length, random) => Array.from({ length }, () => '[]{}:,-?&*!|>\'"%@#\n  ab\t'[random(24)]).join(''),
} // prettier-ignore

/** LiquidJS texts, in which the object `a` can be named. */
const templates: Record<string, Shape> = {
  'text': around('', 'a\n'),
  'outputs': around('', '{{a}}\n'),
  'outputs of names that are not there': each('', (index) => `{{zz${index}}}\n`),
  'filters': around('{{a', '|append:a', '}}'),
  'filters that are not there': around('{{a', '|x', '}}'),
  'conditions inside of conditions': (length) => '{%if a%}'.repeat(length / 17) + '{%endif%}'.repeat(length / 17),
  'loops inside of loops': (length) => '{%for x in a%}'.repeat(length / 30) + '{{x}}' + '{%endfor%}'.repeat(length / 30),
  'brackets inside of brackets': (length) => `{{${'a['.repeat(length / 4)}0${']'.repeat(length / 4)}}}`,
  'properties': around('{{a', '.a', '}}'),
  'operators': around('{{a', ' and a', '}}'),
  'ranges': around('', '{{(1..2)}}'),
  'lines of one tag': around('{%liquid\n', 'echo a\n', '%}'),
  'items of a cycle': around('{%cycle ', '"a",', '"b"%}'),
  'what trims': around('', '{{- a -}} \n '),
  'raw texts': around('', '{%raw%}x{%endraw%}'),
  'raw texts that do not end': around('', '{%raw%}'),
  'comments that do not end': around('', '{%comment%}'),
  'tags that are not there': around('', '{%x%}\n'),
  'quotes': around('', '{{"}}'),
  'openings': around('', '{{'),
  'captures inside of captures': (length) => '{%capture x%}'.repeat(length / 29) + '{%endcapture%}'.repeat(length / 29),
  'noise': (length, random) => Array.from({ length }, () => ['{{', '}}', '{%', '%}', 'a', '|', '"', ' if ', ' for ', '\n', '.', '['][random(12)]).join('').slice(0, length), // prettier-ignore
} // prettier-ignore

const prefix = 'azure.keyvault.injector/'
const kilobytes = (characters: number, most: number): number => Math.min(characters, most)
const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index)) // prettier-ignore
const classOf = (objects: string, parameters: object = {}) => ({ provider: 'azure', parameters: { keyvaultName: 'my-kv', objects, ...parameters } }) // prettier-ignore
const withClasses = (classes: Record<string, unknown>): Attack => ({ pod: annotated({ 'secret-provider-class': Object.keys(classes).join(',') }), classes }) // prettier-ignore
const quantities = (count: number) => Object.fromEntries(many(count, (index) => [`example.com/${index}`, '1']))

/** Everything else that a tenant writes; the number says how many characters there may be. */
const others: Record<string, (characters: number, random: Random) => Attack> = {
  'an objects document that is as large as is read': () => ({ pod: annotated({ objects: many(420, (index) => `- {name: object-${index}, type: secret, path: files/${index}}\n`).join('') }) }), // prettier-ignore
  'objects of the Namespace and of the pod': () => {
    const objects = many(420, (index) => `- {name: object-${index}, type: secret, path: files/${index}}\n`).join('')
    return { pod: annotated({ objects: `# pod\n${objects}` }), namespace: { annotations: { [`${prefix}objects`]: `# namespace\n${objects}` } } } // prettier-ignore
  },
  'twenty classes as large as is read': () =>
    withClasses(Object.fromEntries(many(20, (index) => [`kv-${index}`, classOf(`array:\n${many(400, (item) => `  - |\n    objectName: o-${index}-${item}\n    objectType: secret\n`).join('')}`)]))), // prettier-ignore
  'a class whose objects are long texts': (characters) =>
    withClasses({ kv: classOf(`array:\n${many(30, () => `  - "${'[a,'.repeat(kilobytes(characters, 60_000) / 90)}"\n`).join('')}`) }), // prettier-ignore
  'a class of parameters that are not known': (characters) =>
    withClasses({ kv: classOf('array: []', Object.fromEntries(many(characters / 20, (index) => [`keyvaultNam${index}`, 'x']))) }), // prettier-ignore
  'a class with long parameters': (characters) =>
    withClasses({ kv: classOf('x', Object.fromEntries(['keyvaultName', 'clientID', 'tenantID', 'cloudName', 'useVMManagedIdentity'].map((name) => [name, 'a'.repeat(characters)]))) }), // prettier-ignore
  'annotations that are not known': (characters) =>
    ({ pod: annotated(Object.fromEntries(many(characters / 60, (index) => [`signal-containe-${index}`, 'x']))) }), // prettier-ignore
  'templates in annotations': (characters) =>
    ({ pod: annotated(Object.fromEntries(many(characters / 60, (index) => [`template-${index}`, '{{ x }}']))) }), // prettier-ignore
  'as many templates as are read': (characters) =>
    ({ pod: annotated(Object.fromEntries(many(90, (index) => [`template-${index}`, '{{ x }}'.repeat(kilobytes(characters, 60_000) / 700)]))) }), // prettier-ignore
  'names of containers': (characters) => ({ pod: annotated({ containers: 'c,'.repeat(characters / 2) }) }),
  'names of containers that are nearly there': () => ({
    pod: annotated(
      { containers: many(500, (index) => `${'container-'.repeat(5)}x${index}`).join(',') },
      { containers: many(499, (index) => ({ name: `${'container-'.repeat(5)}${index}` })) },
    ),
  }),
  'names of classes': (characters) => ({ pod: annotated({ 'secret-provider-class': 'c,'.repeat(characters / 2) }) }),
  'a long name of a class': (characters) => ({ pod: annotated({ 'secret-provider-class': `${'a-'.repeat(characters / 2)}!` }) }), // prettier-ignore
  'a long duration': (characters) => ({ pod: annotated({ 'poll-interval': '1m1s'.repeat(characters / 4) }) }),
  'a duration of digits': (characters) => ({ pod: annotated({ 'poll-interval': '1'.repeat(characters) }) }),
  'a long quantity': (characters) => ({ pod: annotated({ 'limit-memory': `${'9'.repeat(characters)}Ti` }) }),
  'a long vault': (characters) => ({ pod: annotated({ vault: `https://${'a.'.repeat(characters / 2)}x` }) }),
  'a vault that a pattern looks through': (characters) => ({
    pod: annotated({ vault: `https://${'a'.repeat(characters - 100)}` }),
    configuration: { vaults: [{ namespaces: ['*'], vaults: ['https://*a*a*a*a*b.example'] }] },
  }),
  'a long URL to notify': (characters) => ({ pod: annotated({ 'notify-url': `http://localhost/${'ä'.repeat(characters)}` }) }), // prettier-ignore
  'a long mount path': (characters) => ({ pod: annotated({ 'mount-path': `/${'a/'.repeat(characters / 2)}b` }) }),
  'annotations of a ServiceAccount': (characters) => ({ annotations: { 'azure.workload.identity/client-id': 'x'.repeat(characters), 'azure.workload.identity/tenant-id': '-'.repeat(characters) } }), // prettier-ignore
  'annotations of a Namespace': (characters) => ({ namespace: { annotations: Object.fromEntries(many(characters / 60, (index) => [`${prefix}signa-${index}`, 'x'])) } }), // prettier-ignore
  'a LimitRange of many kinds': (characters) => ({ limitRanges: [{ name: 'x', type: 'Pod', max: quantities(characters / 25), min: quantities(characters / 25) }] }), // prettier-ignore
  'many LimitRanges': (characters) => ({ limitRanges: many(characters / 100, (index) => ({ name: `r-${index}`, type: index % 2 ? 'Pod' : 'Container', max: { cpu: '1m', memory: '1e99999' } })) }), // prettier-ignore
  'containers that request many kinds': (characters) =>
    ({ pod: annotated({}, { initContainers: many(400, (index) => ({ name: `c${index}`, restartPolicy: 'Always', resources: { requests: Object.fromEntries(many(characters / 10_000, (kind) => [`example.com/${index}-${kind}`, '1'])) } })) }), limitRanges: [{ name: 'x', type: 'Pod', max: { cpu: '1' } }] }), // prettier-ignore
  'as many containers as are looked at': () => ({ pod: annotated({ signal: 'SIGHUP' }, { containers: many(499, (index) => ({ name: `c${index}`, volumeMounts: many(4, (mount) => ({ name: `v${mount}`, mountPath: `/${mount}` })) })) }) }), // prettier-ignore
  'more containers than are looked at': (characters) => ({ pod: annotated({}, { containers: many(characters / 30, (index) => ({ name: `c${index}` })) }) }), // prettier-ignore
  'volumes': (characters) => ({ pod: annotated({}, { volumes: many(characters / 40, (index) => ({ name: `v${index}`, emptyDir: {} })) }) }), // prettier-ignore
  'mounts': (characters) => ({ pod: annotated({}, { containers: [{ name: 'app', volumeMounts: many(characters / 50, (index) => ({ name: 'v', mountPath: `/mnt/secrets/${index}` })) }] }) }), // prettier-ignore
  'long paths of mounts': (characters) => ({ pod: annotated({}, { containers: [{ name: 'app', volumeMounts: many(50, () => ({ name: 'v', mountPath: `/${'../'.repeat(characters / 200)}` })) }] }) }), // prettier-ignore
  'hooks that kill': (characters) => ({ pod: annotated({ signal: 'SIGHUP' }, { containers: [{ name: 'app', lifecycle: { preStop: { exec: { command: ['kill '.repeat(characters / 5)] } } } }] }) }), // prettier-ignore
  'variables of a container with the name of ours': (characters) => ({ pod: annotated({}, { initContainers: [{ name: 'akv-injector', env: many(characters / 40, (index) => ({ name: `V${index}`, value: 'x' })) }] }) }), // prettier-ignore
  'settings of a copy': (characters) => ({ pod: annotated({}, { volumes: [{ name: 'akv-injector-secrets' }, { name: 'akv-injector-podinfo' }], initContainers: [{ name: 'akv-injector', env: [{ name: 'AKV_INJECTOR_SETTINGS', value: Buffer.from(JSON.stringify({ objects: many(characters / 12, () => 0) })).toString('base64url') }] }] }) }), // prettier-ignore
  'a pod of wrong fields': (characters) => ({ pod: annotated({}, { containers: many(characters / 12, () => ({ name: 1 })) }) }), // prettier-ignore
  'a pod that nests': (characters) => ({ pod: annotated({}, { x: JSON.parse('['.repeat(characters / 100) + ']'.repeat(characters / 100)) as unknown }) }), // prettier-ignore
} // prettier-ignore

/** Every attack by name, for about so many characters. */
export const shapesOf: Record<string, (characters: number, random: Random) => Attack> = {
  ...others,
  ...Object.fromEntries(
    Object.entries(documents).flatMap(([name, shape]): [string, (characters: number, random: Random) => Attack][] => [
      [`objects: ${name}`, (characters, random) => ({ pod: annotated({ objects: shape(characters, random) }) })],
      // As much as is read at all.
      [`objects that are just read: ${name}`, (characters, random) => ({ pod: annotated({ objects: shape(kilobytes(characters, 65_000), random) }) })], // prettier-ignore
      [`objects that may be parsed: ${name}`, (characters, random) => ({ pod: annotated({ objects: shape(kilobytes(characters, 16_000), random) }) })], // prettier-ignore
      [`a class: ${name}`, (characters, random) => withClasses({ kv: classOf(shape(kilobytes(characters, 65_000), random)) })], // prettier-ignore
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(templates).flatMap(([name, shape]): [string, (characters: number, random: Random) => Attack][] => [
      [`a template: ${name}`, (characters, random) => ({ pod: annotated({ objects: 'a', 'template-x': shape(kilobytes(characters, 70_000), random) }) })], // prettier-ignore
      [`a template that may be read: ${name}`, (characters, random) => ({ pod: annotated({ objects: 'a', 'template-x': shape(kilobytes(characters, 15_000), random) }) })], // prettier-ignore
    ]),
  ),
}
