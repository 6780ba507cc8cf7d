/** Values that are hard to write in one format or another, and the bundle of them. */
import { randomBytes } from 'node:crypto'
import type { ObjectSpec } from '../../../shared/objects/spec.ts'
import type { BundleSpec } from '../../../shared/objects/schema.ts'
import { renderBundle } from '../../../shared/render/bundles.ts'
import type { Files } from '../../../shared/render/contents.ts'
import { objectSpec } from '../../support/object-spec.ts'

const filesOf = (values: Record<string, string | Uint8Array>): Files =>
  new Map(Object.entries(values).map(([path, value]) => [path, { content: Buffer.from(value) }]))

export async function render(bundle: BundleSpec, values: Record<string, string | Uint8Array>, objects?: ObjectSpec[]) {
  const listed = objects ?? Object.keys(values).map((name) => objectSpec(name))
  return Buffer.from(await renderBundle(bundle, listed, filesOf(values))).toString()
}

export const values: Record<string, string> = {
  plain: 'hunter2',
  empty: '',
  'line-feeds': 'one\ntwo\n\n  three\n',
  'carriage-returns': 'one\r\ntwo\r',
  'single-quote': "it's",
  'double-quote': 'say "hi"',
  'both-quotes': `it's "hi"`,
  'quotes-around': `'quoted'`,
  backtick: 'a`b`c',
  dollar: '$HOME ${HOME} $(id) $$',
  hash: 'a#b #c',
  'hash-first': '# no comment',
  equals: 'a=b=c==',
  'equals-first': '=x',
  colon: 'a: b',
  backslash: 'C:\\new\\table\\u0041\\',
  'backslash-n': 'a\\nb',
  'trailing-spaces': 'value  \t ',
  'leading-spaces': ' \t value',
  spaces: '   ',
  emoji: '😀 grüße 漢字 \u00a0\u2028\u2029\u0085\ufeff',
  base64: Buffer.from(Array.from({ length: 256 }, (_, index) => index)).toString('base64'),
  long: randomBytes(25 * 1024 * 0.75)
    .toString('base64')
    .slice(0, 25 * 1024),
  'long-text': 'all work and no play\n'.repeat(1200),
  controls: '\u0001\u0002\u001b[0m\u007f\u0080',
  'yaml-true': 'yes',
  'yaml-null': '~',
  'yaml-octal': '0755',
  'yaml-float': '1e3',
  'yaml-sexagesimal': '12:30:45',
  'yaml-date': '2001-01-01',
  'yaml-merge': '<<',
  'yaml-document': '---\n...\n- a\n',
  json: '{"a": "it\'s \\n"}',
  'properties-continued': 'a\\\n  b',
  'names-of-another': 'PLAIN=other\nplain: other',
  percent: '%s %00',
  bom: '\ufeffvalue',
  'quote-and-dollar': "it's $HOME",
  'form-feed': '\fa\f',
}
