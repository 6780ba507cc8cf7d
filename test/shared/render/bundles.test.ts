import fc from 'fast-check'
import t from 'tap'
import type { BundleFormat } from '../../../shared/objects/formats.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'
import { java, json, properties, yaml11, yaml12, type Reader } from './readers.ts'
import { objectSpec } from '../../support/object-spec.ts'
import { render, values } from './bundle-values.ts'

const readers: Record<Exclude<BundleFormat, 'dotenv'>, Reader[]> = {
  json: [json, yaml12],
  yaml: [yaml12, yaml11],
  properties: [properties, ...java],
}

for (const format of ['json', 'yaml', 'properties'] as const) {
  void t.test(`${format} bundle: every value is read back`, async (t) => {
    const all = { ...values, nul: 'a\0b', on: 'key', '0755': 'key', no: 'key', '1e3': 'key', null: 'key', '-': 'key' }
    const text = await render(format, all)
    for (const read of readers[format]) t.strictSame({ ...read(text) }, all)
  })

  void t.test(`${format} bundle: any text is read back`, async () => {
    const name = fc.stringMatching(/^[0-9a-zA-Z-]{1,20}$/)
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
      fc.string({ unit: fc.constantFrom(...`\\\n\r\t\f\0 '"#!=:u0041${'{}[]'}\u2028\u0085😀`) }),
    )
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

void t.test('yaml bundle: each line is a printable member of a JSON object, whatever its value', async (t) => {
  const text = await render('yaml', values)
  const members = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(`{${line}}`) as Record<string, string>)
  t.strictSame(Object.assign({}, ...members), values)
  // https://yaml.org/spec/1.1/#c-printable, without its line breaks
  t.match(text, /^[\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]*$/u)
})

const names: [name: string, variable: string][] = [
  ['db-password', 'DB_PASSWORD'],
  ['ConnectionStrings--Main', 'CONNECTIONSTRINGS__MAIN'],
  ['2fa', '_2FA'],
  ['a', 'A'],
  ['-', '_'],
]

for (const [name, variable] of names) {
  void t.test(`dotenv bundle: the variable of ${name} is ${variable}`, async (t) =>
    t.equal(await render('dotenv', { [name]: '1' }), `${variable}='1'\n`),
  )
}

const wrong: [name: string, values: Record<string, string | Uint8Array>, message: string][] = [
  [
    'a carriage return',
    { a: 'x\r\ny' },
    'secret a holds a carriage return, which dotenv parsers drop; use json, yaml or properties, or leave it out of the bundle: { format: dotenv, except: ["a"] } under bundles in the annotation objects',
  ],
  [
    'a NUL',
    { a: 'x\0y' },
    'secret a holds a NUL character, which no environment variable can; use json, yaml or properties, or leave it out of the bundle: { format: dotenv, except: ["a"] } under bundles in the annotation objects',
  ],
  [
    'every kind of quote and a comment',
    { ok: '1', a: '\'"`#' },
    'secret a mixes quotes, backslashes and line breaks in a way that dotenv\'s quoting cannot hold; use json, yaml or properties, or leave it out of the bundle: { format: dotenv, except: ["a"] } under bundles in the annotation objects',
  ],
  [
    'a last backslash behind a line break',
    { a: 'x\ny\\' },
    'secret a mixes quotes, backslashes and line breaks in a way that dotenv\'s quoting cannot hold; use json, yaml or properties, or leave it out of the bundle: { format: dotenv, except: ["a"] } under bundles in the annotation objects',
  ],
  [
    'two names of one variable',
    { '2fa': '1', '-2fa': '2' },
    'the secrets at "2fa" and "-2fa" would both be _2FA; give one of them another name with names, or leave it out with except',
  ],
]

for (const [name, values, message] of wrong) {
  void t.test(`dotenv bundle: ${name} is rejected`, async (t) =>
    t.rejects(render('dotenv', values), new RenderFailure(message)),
  )
}

for (const format of ['dotenv', 'json', 'yaml', 'properties'] as const) {
  void t.test(`${format} bundle: bytes that are not text are rejected`, async (t) => {
    const message = `secret a is not UTF-8 text; keep it as base64 in the vault without encoding, use a template with b64enc instead of the bundle, or leave it out of the bundle: { format: ${format}, except: ["a"] } under bundles in the annotation objects`
    await t.rejects(render(format, { a: Uint8Array.of(0xff, 0xfe) }), new RenderFailure(message))
  })

  void t.test(`${format} bundle: two secrets with one name are rejected, whether they exist or not`, async (t) => {
    const objects = [
      objectSpec('a', { path: 'x' }),
      objectSpec('a', { path: 'y', vault: 'https://other.vault.azure.net' }),
    ]
    const name = format === 'dotenv' ? 'A' : 'a'
    const message = `the secrets at "x" and "y" would both be ${name}; give one of them another name with names, or leave it out with except`
    await t.rejects(render(format, { x: '1' }, objects), new RenderFailure(message))
  })
}

void t.test('bundle: it contains the newest version of each secret that exists, under its name', async (t) => {
  const objects = [
    objectSpec('b', { path: 'files/b.txt' }),
    objectSpec('a', { history: 3 }),
    objectSpec('gone', { optional: true }),
    objectSpec('k', { type: 'key' }),
    objectSpec('c', { type: 'cert' }),
  ]
  const files = { 'files/b.txt': '1', 'a/0': 'new', 'a/1': 'old', k: 'key', c: 'cert' }
  t.equal(await render('json', files, objects), '{\n  "b": "1",\n  "a": "new"\n}\n')
  t.equal(await render('yaml', files, objects), '"b": "1"\n"a": "new"\n')
  t.equal(await render('properties', files, objects), 'b=1\na=new\n')
  t.equal(await render('dotenv', files, objects), "B='1'\nA='new'\n")
})

void t.test('bundle: without members it is empty', async (t) => {
  for (const [format, text] of [
    ['json', '{}\n'],
    ['yaml', '{}\n'],
    ['properties', ''],
    ['dotenv', ''],
  ] as const) {
    t.equal(await render(format, {}), text)
  }
})
