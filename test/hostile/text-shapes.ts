import type { RandomInteger } from '../support/seeded-random.ts'

/** Writes a text of about so many characters. */
export type Shape = (characters: number, random: RandomInteger) => string

/** A text repeated up to a length. */
export const repeated = (text: string, length: number): string =>
  text.repeat(Math.ceil(length / text.length)).slice(0, length)

/** Texts with a number in each, up to a length. */
export function numbered(text: (index: number) => string, length: number): string {
  const parts: string[] = []
  for (let index = 0, size = 0; size < length; index++) {
    const part = text(index)
    parts.push(part)
    size += part.length
  }
  return parts.join('').slice(0, length)
}

export const around =
  (before: string, unit: string, after = ''): Shape =>
  (length) =>
    before + repeated(unit, length - before.length - after.length) + after
export const each =
  (before: string, unit: (index: number) => string, after = ''): Shape =>
  (length) =>
    before + numbered(unit, length - before.length - after.length) + after

/** Documents for the annotation `objects` and the parameter of a class: what a reader of YAML may do too often. */
export const documents: Record<string, Shape> = {
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
  colons: around('', ': '),
  'deeper with each line': (length) =>
    Array.from({ length: Math.floor(Math.sqrt(2 * length)) - 3 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''),
  comments: around('- a\n', '#\n'),
  'one long comment': around('- a\n#', 'x'),
  'empty lines': around('- a', '\n', '- b'),
  spaces: around('- a', ' ', '\n- b'),
  documents: around('', '---\n'),
  'documents and what they hold': around('', 'a\n...\n'),
  directives: around('', '%a\n', '---\na'),
  anchors: each('[', (index) => `&a${index} x,`, ']'),
  'aliases of one anchor': around('[&a x,', '*a ,', ']'),
  'anchors, each with its alias': each('[', (index) => `&a${index} [x],*a${index} ,`, ']'),
  'aliases of aliases': (length) =>
    Array.from(
      { length: 9 },
      (_, index) =>
        `a${index}: &a${index} [${repeated(index === 0 ? 'x,' : `*a${index - 1} ,`, Math.floor(length / 12))}]`,
    ).join('\n'),
  tabs: around('', '\t- a\n'),
  'reserved signs': around('', '- @\n'),
  'anchors without a name': around('', '& '),
  tags: around('', '- !a b\n'),
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
  commas: around('[', ',', ']'),
  'colons in brackets': around('[', ':,', ']'),
  'a long key': around('', 'a', ': b'),
  'carriage returns': around('- a', '\r'),
  'byte order marks': around('', '\ufeff'),
  entries: each('', (index) => `a${index},`),
  'entries that are wrong': around('', '_,'),
  'entries of types that are near': each('', (index) => `secre${index % 10}/a=b${index},`),
  'entries that clash': each('', (index) => `a${index}=p/${index % 7},`),
  'one path with many folders': around('a=', 'b/'),
  'paths with many folders': each('', (index) => `a${index}=${'b/'.repeat(500)}${index},`),
  'signs of an entry': around('a', '=@/'),
  histories: each('[', (index) => `{name: a${index}, history: 100, split: true},`, ']'),
  'histories of long paths': each(
    '[',
    (index) => `{name: a${index}, history: 100, path: ${'b/'.repeat(1000)}${index}},`,
    ']',
  ),
  'fields that are not known': each('- {name: a,', (index) => `unknownfield${index}: x,`, '}'),
  'fields that are nearly known': each('- {name: a,', (index) => `optiona${index}: x,`, '}'),
  'parts that are not known': each('objects: [a]\n', (index) => `object${index}: x\n`),
  templates: each('templates:\n', (index) => ` f${index}: x\n`),
  bundles: each('objects: [a]\nbundles:\n', (index) => ` f${index}: dotenv\n`),
  'bundles of formats that are nearly known': each('bundles:\n', (index) => ` f${index}: dotenw\n`),
  'objects of three fields': each(
    '',
    (index) => `- {name: object-${index}, type: secret, path: some/folder/object-${index}.txt}\n`,
  ),
  finds: each('', (index) => `- find: {name: '*a${index}*', tags: {t${index}: x}, group: g${index}}\n`),
  'tags of a find': each('- find: {tags: {', (index) => `t${index}: x,`, '}}'),
  'fields of a find that are nearly known': each('- find: {', (index) => `grou${index}: x,`, '}'),
  vaults: each('', (index) => `- {name: a${index}, vault: v${index}-kv}\n`),
  noise: (length, random) => Array.from({ length }, () => '[]{}:,-?&*!|>\'"%@#\n  ab\t'[random(24)]).join(''),
}

/** LiquidJS texts, in which the object `a` can be named. */
export const templates: Record<string, Shape> = {
  text: around('', 'a\n'),
  outputs: around('', '{{a}}\n'),
  'outputs of names that are not there': each('', (index) => `{{zz${index}}}\n`),
  filters: around('{{a', '|append:a', '}}'),
  'filters that are not there': around('{{a', '|x', '}}'),
  'conditions inside of conditions': (length) => '{%if a%}'.repeat(length / 17) + '{%endif%}'.repeat(length / 17),
  'loops inside of loops': (length) =>
    '{%for x in a%}'.repeat(length / 30) + '{{x}}' + '{%endfor%}'.repeat(length / 30),
  'brackets inside of brackets': (length) => `{{${'a['.repeat(length / 4)}0${']'.repeat(length / 4)}}}`,
  properties: around('{{a', '.a', '}}'),
  operators: around('{{a', ' and a', '}}'),
  ranges: around('', '{{(1..2)}}'),
  'lines of one tag': around('{%liquid\n', 'echo a\n', '%}'),
  'items of a cycle': around('{%cycle ', '"a",', '"b"%}'),
  'what trims': around('', '{{- a -}} \n '),
  'raw texts': around('', '{%raw%}x{%endraw%}'),
  'raw texts that do not end': around('', '{%raw%}'),
  'comments that do not end': around('', '{%comment%}'),
  'tags that are not there': around('', '{%x%}\n'),
  quotes: around('', '{{"}}'),
  openings: around('', '{{'),
  'captures inside of captures': (length) => '{%capture x%}'.repeat(length / 29) + '{%endcapture%}'.repeat(length / 29),
  noise: (length, random) =>
    Array.from({ length }, () => ['{{', '}}', '{%', '%}', 'a', '|', '"', ' if ', ' for ', '\n', '.', '['][random(12)])
      .join('')
      .slice(0, length),
}
