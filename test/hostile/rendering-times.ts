import { readFileSync } from 'node:fs'
import type { BundleFormat } from '../../shared/objects/formats.ts'
import { createRenderer } from '../../shared/render/renderer.ts'
import type { Fetched } from '../../shared/vault/store.ts'
import { secret } from '../shared/render/objects.ts'
import type { Chain } from '../support/pki.ts'
import { mostCharacters, mostItems } from '../../shared/render/filter-bounds.ts'
import { compareBlocks, shortestBlock } from './longest-block.ts'
import { objectSpec } from '../support/object-spec.ts'
import type { Measured } from './measured.ts'

// Measures how long rendering hostile values blocks the event loop, and prints a line of JSON for each input. It is a program of its
// own: the test runner follows every promise, which takes several times as long as the promises themselves.
const tries = 5

/** Certificates and a key, which the test makes. */
export interface RenderingInput extends Chain {
  /** Certificates with keys of P-521. */
  authorities: string[]
  /** The chain as PKCS#12, in base64. */
  container: string
}
const { key, certificates, authorities, container } = JSON.parse(readFileSync(0, 'utf8')) as RenderingInput
const pem = { keyId: 'https://my-kv.vault.azure.net/keys/a/1', contentType: 'application/x-pem-file' }
const pkcs12 = { ...pem, contentType: 'application/x-pkcs12' }

interface Input {
  fields?: Parameters<typeof objectSpec>[1]
  values: Fetched[]
  templates?: Record<string, string>
  bundles?: Record<string, BundleFormat>
}

/** Renders an input as a poll does; what cannot be rendered says why. */
async function render({ fields = {}, values, templates = {}, bundles = {} }: Input): Promise<string[]> {
  const objects = values.map((_value, index) => objectSpec(`o${index}`, { ...fields, path: `o${index}` }))
  const render = createRenderer({ objects, templates, bundles })
  const files = new Map<string, { content: Uint8Array; mode: number }>()
  const said: string[] = []
  const changed = new Map(values.map((value, index) => [{ objects: [index] }, [value]]))
  for (const result of (await render.objects(changed)).values()) {
    if (!result.ok) {
      said.push(...result.problems)
      continue
    }
    for (const { path, content } of result.value.files) files.set(path, { content, mode: 0o440 })
    said.push(...result.value.warnings)
  }
  for (const result of (await render.texts(files)).values()) if (!result.ok) said.push(...result.problems)
  return said
}

const megabyte = 1_000_000
const repeated = (text: string, length = megabyte): string => text.repeat(length / text.length)
const all = (values: string): Input => ({
  values: [secret(values)],
  bundles: { a: 'json', b: 'yaml', c: 'properties', d: 'dotenv' },
})
const certificate = (value: string): Input => ({ fields: { split: true }, values: [secret(value, pem)] })
const property = (value: string): Input => ({ fields: { property: 'x' }, values: [secret(value)] })
const template = (text: string, value = repeated('a')): Input => ({ values: [secret(value)], templates: { x: text } })
const tlv = (count: number): Buffer =>
  Buffer.concat([
    Buffer.from([0x30, 0x83, count >> 15, (count >> 7) & 255, (count << 1) & 255]),
    Buffer.alloc(count * 2, Buffer.from([5, 0])),
  ])

/** Beside how long it takes: what the sidecar says of it, if it is not to be rendered. */
const inputs: Record<string, { input: Input; says?: RegExp }> = {
  'beginnings of PEM without an end': {
    input: certificate(repeated('-----BEGIN CERTIFICATE-----\n')),
    says: /no certificate/,
  },
  'beginnings of PEM, each of its own label': {
    input: certificate(Array.from({ length: 30_000 }, (_, index) => `-----BEGIN ${index} X-----\n`).join('')),
    says: /no certificate/,
  },
  'ends of PEM, each of its own label': {
    input: certificate(Array.from({ length: 30_000 }, (_, index) => `-----END ${index}-----\n`).join('')),
    says: /no certificate/,
  },
  dashes: { input: certificate(repeated('-')), says: /no certificate/ },
  'a long label': { input: certificate(`-----BEGIN ${repeated('A')}`), says: /no certificate/ },
  'empty blocks of PEM': {
    input: certificate(repeated('-----BEGIN X-----\n-----END X-----\n')),
    says: /no certificate/,
  },
  'thousands of certificates': {
    input: certificate(repeated(certificates.join(''))),
    says: /more than 200 certificates/,
  },
  'a container made of many certificates': {
    input: {
      fields: { format: 'pfx', convert: true },
      values: [secret(key + certificates.join(''), pem), secret(repeated(certificates.join(''), 250_000), pem)],
    },
    says: /more than 200 certificates/,
  },
  'a truststore of many certificates': {
    input: {
      fields: { format: 'truststore', convert: true },
      values: [secret(Array.from({ length: 60 }, () => certificates.join('')).join(''))],
    },
  },
  'authorities of one name': {
    input: certificate(authorities.join('') + key),
  },
  'a template that reads thousands of certificates': {
    input: template('{{ o0 | pem_cert }}', repeated(certificates.join(''), mostCharacters)),
    says: /more than 200 certificates/,
  },
  'a container of small parts': {
    input: { values: [secret(tlv(400_000).toString('base64'), pkcs12)] },
    says: /at most 65536 are read/,
  },
  'a container of small parts that is just read': {
    input: { values: [secret(tlv(32_000).toString('base64'), pkcs12)] },
    says: /PKCS#12/,
  },
  'as many objects as a pod may have': {
    input: {
      values: Array.from({ length: 300 }, (_, index) => secret(`${index} ${repeated('aA1+\n', 500)}`)),
      bundles: { json: 'json', yaml: 'yaml', dotenv: 'dotenv', properties: 'properties' },
    },
  },
  'containers to read': {
    input: { fields: { split: true }, values: Array.from({ length: 20 }, () => secret(container, pkcs12)) },
  },
  'containers to write': {
    input: {
      fields: { format: 'pfx', convert: true },
      values: Array.from({ length: 20 }, () => secret(key + certificates.join(''), pem)),
    },
  },
  'base64 between line breaks': { input: { fields: { encoding: 'base64' }, values: [secret(repeated('A\n'))] } },
  'base64 of padding': {
    input: { fields: { encoding: 'base64' }, values: [secret(repeated('='))] },
    says: /not base64/,
  },
  hex: { input: { fields: { encoding: 'hex' }, values: [secret(repeated('ab'))] } },
  'control characters in bundles': { input: all(repeated('\u0085', 400_000)) },
  'line breaks in bundles': { input: all(repeated('\n')) },
  'backslashes in bundles': { input: all(repeated('\\n"')) },
  'spaces in bundles': { input: all(repeated(' ')) },
  'bundles larger than the volume': {
    input: { values: Array.from({ length: 20 }, () => secret(repeated('a', 100_000))), bundles: { a: 'json' } },
    says: /more than 1048576 bytes/,
  },
  'templates that go round': {
    input: {
      ...template(''),
      templates: Object.fromEntries(
        Array.from({ length: 5 }, (_, index) => [
          `x${index}`,
          '{% for a in (1..3000) %}{% for b in (1..10) %}{% if a == b %}x{% endif %}{% endfor %}{% endfor %}',
        ]),
      ),
    },
  },
  'a template that repeats a text': {
    input: template('{% for a in (1..1000000) %}{{ o0 }}{% endfor %}'),
    says: /1048576 may be/,
  },
  'a template of filters': {
    input: template(`{{ o0 ${'| upcase | downcase '.repeat(100)}| size }}`, repeated('a', mostCharacters)),
  },
  'a text that is escaped again and again': {
    input: template(`{{ o0 ${'| shell_quote '.repeat(100)}}}`, repeated("'", 100_000)),
    says: /shell_quote is given \d+ characters, and at most 262144 are read/,
  },
  'a text that is percent-encoded again and again': {
    input: template(`{{ o0 ${'| percent_encode '.repeat(100)}}}`, repeated('\u2028', 100_000)),
    says: /percent_encode is given \d+ characters, and at most 262144 are read/,
  },
  'a text that is too long for a filter': {
    input: template('{{ o0 | upcase }}', repeated('a', mostCharacters + 1)),
    says: /upcase is given 262145 characters, and at most 262144 are read/,
  },
  'JSON of brackets': {
    input: property(repeated('[', 60_000)),
    says: /neither/,
  },
  'JSON that nests deep': {
    input: property('['.repeat(30_000) + ']'.repeat(30_000)),
    says: /deeper than 100/,
  },
  'JSON of quotes': { input: property(repeated('"\\"', 60_000)), says: /neither/ },
  'JSON of numbers': { input: property(`[${'1,'.repeat(30_000)}1]`), says: /no field x/ },
  'JSON of a field many times': { input: property(`{${'"x":1.10,'.repeat(6_000)}"x":1}`) },
  'JSON that is larger than is read': { input: property(`"${repeated('a')}"`), says: /at most 65536/ },
  'YAML of aliases of aliases': {
    input: property(
      `${Array.from({ length: 10 }, (_, index) => `a${index}: &a${index} [${index === 0 ? 'x,'.repeat(10) : `*a${index - 1},`.repeat(10)}]\n`).join('')}x: *a9`,
    ),
    says: /has more than 1048576 characters/,
  },
  'YAML of many small parts': { input: property('? '.repeat(30_000)), says: /neither/ },
  'YAML that nests deep': { input: property('- '.repeat(30_000)), says: /neither/ },
  'YAML of quotes': { input: property(`x: ${repeated("''", 60_000)}`) },
  'a template that parses JSON again and again': {
    input: template(
      '{% for a in (1..2000) %}{% assign x = o0 | parse_json %}{% endfor %}',
      `[${'{},'.repeat(20_000)}1]`,
    ),
    says: /limit is exceeded/,
  },
  'a template that splits': {
    input: template('{% assign x = o0 | split: "" %}{{ x | sort | uniq | size }}', repeated('a', mostItems)),
  },
  'a list that is too long for a filter': {
    input: template('{% assign x = o0 | split: "" %}{{ x | sort }}', repeated('a', mostItems + 1)),
    says: /sort is given 10001 items, and at most 10000 are read/,
  },
  'an expression for each item of a list': {
    input: template(
      `{% assign x = o0 | split: "" %}{{ x | where_exp: "i", "i == 1 or 2" | size }}`,
      repeated('a', mostItems),
    ),
  },
  'a long expression for each item of a list': {
    input: template(
      `{% assign x = o0 | split: "" %}{{ x | where_exp: "i", "${'i == 1 or '.repeat(500)}i == 2" | size }}`,
      repeated('a', mostItems),
    ),
    says: /where_exp evaluates 5006 characters for 10000 items/,
  },
  'a long expression that a value holds, for each item of a list': {
    input: template(
      '{% assign x = o0 | split: "|" %}{{ x | find_exp: "i", o0 | size }}',
      Array.from({ length: 1_000 }, () => 'i == 1').join('|'),
    ),
    says: /find_exp evaluates 6999 characters for 1000 items/,
  },
  'a text that is nearly in another one': {
    input: template(`{{ o0 | replace: o0, "" | size }}`, repeated('a', 4_096)),
  },
  'a long text that is nearly in another one': {
    input: template('{% assign x = "b" | append: o0 %}{{ o0 | append: x | split: x }}', repeated('a', 100_000)),
    says: /split looks for 100001 characters in 200001/,
  },
  'a condition that looks for a long text': {
    input: template('{% if o0 contains o0 %}x{% endif %}', repeated('a', 200_000)),
    says: /contains looks for 200000 characters in 200000/,
  },
  'a template that captures': {
    input: template('{% capture x %}{% for a in (1..1000000) %}{{ o0 }}{% endfor %}{% endcapture %}'),
    says: /1048576 may be/,
  },
}

const calm: Input = {
  fields: { encoding: 'utf-8' },
  values: [
    secret(key + certificates.join(''), pem),
    ...Array.from({ length: 28 }, () => secret(repeated('aA1+\n', 25_000))),
  ],
  templates: { all: Array.from({ length: 28 }, (_, index) => `{{ o${index + 1} }}`).join('') },
  bundles: { json: 'json', yaml: 'yaml', dotenv: 'dotenv', properties: 'properties' },
}

const report = (measured: Measured): void => console.log(JSON.stringify(measured))

const mostTimes = Number(process.argv[2])
const said = await render(calm)
const measureCalm = () => shortestBlock(() => render(calm), tries)
const comparison = await compareBlocks(measureCalm, (usual) => mostTimes * usual, tries)
for (const [name, { input, says }] of Object.entries(inputs)) {
  const said = await render(input)
  const time = await comparison.block(() => render(input))
  report({ name, said, time, ...(says && { says: says.source }) })
}
report({ name: 'calm', said, time: comparison.base() })
