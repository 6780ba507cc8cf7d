import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { variableName } from '../../../shared/bundle.ts'
import type { BundleFormat, ObjectSpec } from '../../../shared/object-spec.ts'
import { renderBundle } from '../../../sidecar/render/bundles.ts'
import type { Files } from '../../../sidecar/render/contents.ts'
import { RenderFailure } from '../../../sidecar/render/rendered.ts'
import { spec } from './objects.ts'
import { java, json, node, properties, shell, yaml11, yaml12, type Reader } from './readers.ts'

const filesOf = (values: Record<string, string | Uint8Array>): Files =>
  new Map(Object.entries(values).map(([path, value]) => [path, { content: Buffer.from(value) }]))

async function render(format: BundleFormat, values: Record<string, string | Uint8Array>, objects?: ObjectSpec[]) {
  const listed = objects ?? Object.keys(values).map((name) => spec(name))
  return Buffer.from(await renderBundle(format, listed, filesOf(values))).toString()
}

const values: Record<string, string> = {
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
  long: randomBytes(25 * 1024 * 0.75).toString('base64').slice(0, 25 * 1024),
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
} // prettier-ignore

const readers: Record<Exclude<BundleFormat, 'dotenv'>, Reader[]> = {
  json: [json, yaml12],
  yaml: [yaml12, yaml11],
  properties: [properties, ...java],
}
for (const format of ['json', 'yaml', 'properties'] as const) {
  void t.test(`${format}: every value is read back`, async (t) => {
    const all = { ...values, nul: 'a\0b', on: 'key', '0755': 'key', no: 'key', '1e3': 'key', null: 'key', '-': 'key' }
    const text = await render(format, all)
    for (const read of readers[format]) t.strictSame({ ...read(text) }, all)
  })

  void t.test(`${format}: any text is read back`, async () => {
    const name = fc.stringMatching(/^[0-9a-zA-Z-]{1,20}$/)
    const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()), fc.string({ unit: fc.constantFrom(...`\\\n\r\t\f\0 '"#!=:u0041${'{}[]'}\u2028\u0085😀`) })) // prettier-ignore
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, text, { maxKeys: 5 }), async (entries) => {
        const printed = await render(format, entries)
        for (const read of readers[format].filter((reader) => !java.includes(reader))) {
          const found = read(printed)
          if (Object.keys(found).length !== Object.keys(entries).length) return false
          if (Object.keys(entries).some((key) => found[key] !== entries[key])) return false
        }
        return true
      }),
      { numRuns: 500 },
    )
  })
}

void t.test('yaml: each line is a member of a JSON object, and printable whatever its value', async (t) => {
  const text = await render('yaml', values)
  const members = text.trimEnd().split('\n').map((line) => JSON.parse(`{${line}}`) as Record<string, string>) // prettier-ignore
  t.strictSame(Object.assign({}, ...members), values)
  // https://yaml.org/spec/1.1/#c-printable, without its line breaks
  t.match(text, /^[\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]*$/u)
})

const forDotenv = Object.entries(values).filter(([, value]) => !value.includes('\r'))
void t.test('dotenv: every value is read back by Node', async (t) => {
  const text = await render('dotenv', Object.fromEntries(forDotenv))
  t.strictSame({ ...node(text) }, Object.fromEntries(forDotenv.map(([name, value]) => [variableName(name), value])))
})

void t.test('dotenv: whatever a shell does not refuse, it reads back', async (t) => {
  const refused: string[] = []
  const accepted: [string, string][] = []
  for (const [name, value] of forDotenv) {
    const text = await render('dotenv', { [name]: value })
    if (!text.startsWith(': ')) accepted.push([name, value])
    else {
      refused.push(name)
      t.throws(() => shell(text), /this file has a value that dotenv parsers can read and a shell cannot/, name)
    }
  }
  t.strictSame(refused, ['both-quotes', 'backslash', 'json', 'quote-and-dollar'])
  const text = await render('dotenv', Object.fromEntries(accepted))
  t.strictSame(shell(text), Object.fromEntries(accepted.map(([name, value]) => [variableName(name), value])))
})

void t.test('dotenv: a shell never runs what a value says', async (t) => {
  for (const value of [
    `'$(echo ran >&2)"`,
    "it's $(echo ran >&2)",
    "it's `echo ran >&2`",
    "'; echo ran >&2; '",
    'x\\',
    `$(echo ran >&2)'\\`,
  ]) {
    const text = await render('dotenv', { first: 'y', value })
    try {
      t.strictSame(shell(text), { FIRST: 'y', VALUE: value })
    } catch (error) {
      const { stderr } = error as { stderr: Buffer }
      t.match(
        stderr.toString(),
        /DOTENV_ONLY: this file has a value that dotenv parsers can read and a shell cannot\n$/,
      )
    }
    t.strictSame({ ...node(text) }, { FIRST: 'y', VALUE: value })
  }
})

void t.test('dotenv: any text is read back or refused', async () => {
  const text = fc.string({ unit: fc.constantFrom(...`'"\`$#=\\ \n\tabnr\r;!{}😀\u00a0\u2028`), maxLength: 12 })
  const hostile = (value: string) => /[\r\0]/.test(value) || [/'|\\$/, /"|\\[nr]|\\$/, /`|\\$/].every((style) => style.test(value)) // prettier-ignore
  let shells = 0
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 4 }), async (list) => {
      const entries = Object.fromEntries(list.map((value, index) => [`v-${index}`, value]))
      const expected = Object.fromEntries(list.map((value, index) => [`V_${index}`, value]))
      const same = (found: Record<string, unknown>) => Object.entries(expected).every(([name, value]) => found[name] === value) // prettier-ignore
      let printed: string
      try {
        printed = await render('dotenv', entries)
      } catch (error) {
        return error instanceof RenderFailure && list.some(hostile)
      }
      if (!same(node(printed))) return false
      // A shell for each would take minutes.
      return printed.startsWith(': ') || shells++ % 10 !== 0 || same(shell(printed))
    }),
    { numRuns: 1000 },
  )
})

const names: [name: string, variable: string][] = [
  ['db-password', 'DB_PASSWORD'],
  ['ConnectionStrings--Main', 'CONNECTIONSTRINGS__MAIN'],
  ['2fa', '_2FA'],
  ['a', 'A'],
  ['-', '_'],
]
for (const [name, variable] of names) {
  void t.test(`dotenv: ${name} is ${variable}`, async (t) => t.equal(await render('dotenv', { [name]: '1' }), `${variable}='1'\n`)) // prettier-ignore
}

const wrong: [name: string, values: Record<string, string | Uint8Array>, message: string][] = [
  ['a carriage return', { a: 'x\r\ny' }, 'secret a holds a carriage return, which dotenv parsers drop; use json, yaml or properties'],
  ['a NUL', { a: 'x\0y' }, 'secret a holds a NUL character, which no environment variable can; use json, yaml or properties'],
  ['every kind of quote and a comment', { ok: '1', a: '\'"`#' }, "secret a mixes quotes, backslashes and line breaks in a way that dotenv's quoting cannot hold; use json, yaml or properties"],
  ['a last backslash behind a line break', { a: 'x\ny\\' }, "secret a mixes quotes, backslashes and line breaks in a way that dotenv's quoting cannot hold; use json, yaml or properties"],
  ['two names of one variable', { '2fa': '1', '-2fa': '2' }, 'the secrets at "2fa" and "-2fa" would both be _2FA; use a template, which can tell them apart'],
] // prettier-ignore
for (const [name, values, message] of wrong) {
  void t.test(`dotenv: ${name} is refused`, async (t) =>
    t.rejects(render('dotenv', values), new RenderFailure(message)),
  )
}

for (const format of ['dotenv', 'json', 'yaml', 'properties'] as const) {
  void t.test(`${format}: bytes that are not text are refused`, async (t) => {
    const message =
      'secret a is not UTF-8 text; keep it as base64 in the vault without encoding, or use a template with b64enc'
    await t.rejects(render(format, { a: Uint8Array.of(0xff, 0xfe) }), new RenderFailure(message))
  })

  void t.test(`${format}: two secrets of one name are refused, there or not`, async (t) => {
    const objects = [spec('a', { path: 'x' }), spec('a', { path: 'y', vault: 'https://other.vault.azure.net' })]
    const name = format === 'dotenv' ? 'A' : 'a'
    const message = `the secrets at "x" and "y" would both be ${name}; use a template, which can tell them apart`
    await t.rejects(render(format, { x: '1' }, objects), new RenderFailure(message))
  })
}

void t.test('a bundle holds what there is of secrets, the newest version, under their names', async (t) => {
  const objects = [
    spec('b', { path: 'files/b.txt' }),
    spec('a', { history: 3 }),
    spec('gone', { optional: true }),
    spec('k', { type: 'key' }),
    spec('c', { type: 'cert' }),
  ]
  const files = { 'files/b.txt': '1', 'a/0': 'new', 'a/1': 'old', k: 'key', c: 'cert' }
  t.equal(await render('json', files, objects), '{\n  "b": "1",\n  "a": "new"\n}\n')
  t.equal(await render('yaml', files, objects), '"b": "1"\n"a": "new"\n')
  t.equal(await render('properties', files, objects), 'b=1\na=new\n')
  t.equal(await render('dotenv', files, objects), "B='1'\nA='new'\n")
})

void t.test('a bundle of nothing is an empty one', async (t) => {
  for (const [format, text] of [
    ['json', '{}\n'],
    ['yaml', '{}\n'],
    ['properties', ''],
    ['dotenv', ''],
  ] as const) {
    t.equal(await render(format, {}), text)
  }
})
