import fc from 'fast-check'
import t from 'tap'
import type { Files } from '../../../shared/render/contents.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'
import { renderTemplate } from '../../../shared/render/templates.ts'
import { Pki } from '../../support/pki.ts'
import { objectSpec } from '../../support/object-spec.ts'

const pki = new Pki(t)
const chain = pki.chain('P-256', 3)
const [leaf, authority, root] = chain.certificates as [string, string, string]

const objects = [
  objectSpec('db-password'),
  objectSpec('web-tls', { path: 'tls/web.pem', split: true }),
  objectSpec('keystore'),
  objectSpec('optional', { optional: true }),
  objectSpec('token', { history: 2 }),
  objectSpec('db'),
  objectSpec('web-tls', { type: 'cert', path: 'tls/leaf.pem' }),
  objectSpec('api', { path: 'one' }),
  objectSpec('api', { path: 'two', vault: 'https://other.vault.azure.net' }),
]
const filesOf = (contents: Record<string, string | Uint8Array>): Files =>
  new Map(Object.entries(contents).map(([path, content]) => [path, { content: Buffer.from(content) }]))
const files = filesOf({
  'db-password': 'pä"s\n$word',
  'tls/web.pem': root + chain.key + leaf + authority,
  'tls/web.pem.key': chain.key,
  'tls/leaf.pem': leaf,
  keystore: Uint8Array.of(0xff, 0x00, 0x41),
  db: '{"user":"app","list":[1,2],"port":5432,"big":12345678901234567890,"price":1.10,"none":null,"constructor":"own"}',
  'token/0': 'new',
  'token/1': 'old',
  one: '1',
  two: '2',
})
const render = async (text: string, from = files) => Buffer.from(await renderTemplate(text, objects, from)).toString()

const right: [name: string, text: string, output: string][] = [
  ['text without tags, byte for byte', ' a\r\n\tb😀 \n\n', ' a\r\n\tb😀 \n\n'],
  ['a value as it is, nothing escaped', '{{ secrets["db-password"] }}', 'pä"s\n$word'],
  ['its bare name', '[{{ db-password }}]', '[pä"s\n$word]'],
  ['json', '{"password": {{ db-password | json }}}', '{"password": "pä\\"s\\n$word"}'],
  ['b64enc of text', '{{ db-password | b64enc }}', Buffer.from('pä"s\n$word').toString('base64')],
  ['b64enc of binary', '{{ keystore | b64enc }}', '/wBB'],
  ['b64dec', '{{ "aGkgw6Q=" | b64dec }}', 'hi ä'],
  ['b64dec and back again', '{{ keystore | b64enc | b64dec | b64enc }}', '/wBB'],
  ['b64enc of a number', '{{ 17 | b64enc }}', 'MTc='],
  ['pem_cert is the chain, leaf first', '{{ secrets["web-tls"] | pem_cert }}', leaf + authority + root],
  ['pem_ca is the chain without its leaf', '{{ secrets["web-tls"] | pem_ca }}', authority + root],
  ['pem_key is the key alone', '{{ secrets["web-tls"] | pem_key }}', chain.key],
  ['pem_key of a .key', '{{ files["tls/web.pem.key"] | pem_key }}', chain.key],
  [
    'a field of JSON',
    '{% assign x = db | parse_json %}{{ x.user }}:{{ x["port"] }} {{ x.list | join: "," }} {{ x.list[1] }} {{ x.constructor }}',
    'app:5432 1,2 2 own',
  ],
  [
    'numbers of JSON keep their digits, and can be compared',
    '{% assign x = db | parse_json %}{{ x.big }} {{ x.price }} {{ x.big | json }} {{ x.port | plus: 1 }} {% if x.price < 2 %}yes{% endif %}',
    '12345678901234567890 1.10 12345678901234567890 5433 yes',
  ],
  ['JSON in and out', '{{ "{\\"a\\":[1.10,1e400]}" | parse_json | json }}', '{"a":[1.10,1e400]}'],
  [
    'percent_encode, shell_quote and properties_escape',
    '{{ db-password | percent_encode }} {{ db-password | shell_quote }} {{ db-password | properties_escape }}',
    `p%C3%A4%22s%0A%24word 'pä"s\n$word' p\\u00e4"s\\n$word`,
  ],
  ['a certificate and a secret of one name', '{{ certs["web-tls"] }}', leaf],
  ['history: the name is the newest version', '{{ token }} {{ secrets.token }} {{ files["token/1"] }}', 'new new old'],
  ['two objects of one name, by their paths', '{{ files.one }}{{ files["two"] }}', '12'],
  [
    'an optional object that is not there',
    '{% if secrets.optional %}yes{% else %}no{% endif %}{{ optional | default: "-" }}',
    'no-',
  ],
  [
    'all secrets that have one meaning',
    '{% for s in secrets %}{{ s[0] }} {% endfor %}',
    'db-password web-tls keystore token db ',
  ],
  ['white space control', '{% assign x = "1" -%}\n{{- x -}}  \n2', '12'],
]
for (const [name, text, output] of right) {
  void t.test(`template: ${name}`, async (t) => t.equal(await render(text), output))
}

void t.test('templates: a value is never read as a template', async () => {
  const parts = fc.constantFrom(
    '{{',
    '}}',
    '{%',
    '%}',
    'db-password',
    '|',
    ' ',
    "'",
    '"',
    '\n',
    '{# #}',
    'raw',
    '-',
    '💥',
  )
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.array(parts).map((list) => list.join('')),
        fc.string(),
      ),
      async (value) => {
        const from = filesOf({ 'db-password': value })
        return (await render('<{{ db-password }}>', from)) === `<${Buffer.from(value).toString()}>`
      },
    ),
  )
})

const wrong: [name: string, text: string, message: string][] = [
  [
    'a problem that the admission would have found',
    '{{ secrets.nope }}\n{{ api }}',
    'line 1: there is no secrets["nope"] (there is db-password, web-tls, keystore, optional, token, db, api); line 2: "api" may mean several objects; use files["one"] or files["two"]',
  ],
  [
    'an optional object that is not there',
    'a\n{{ secrets.optional }}',
    'line 2: secrets.optional has no value: its object is not there, or has no such property',
  ],
  [
    'a property that a value does not have',
    '{{ db-password.foo }}',
    'line 1: db-password.foo has no value: its object is not there, or has no such property',
  ],
  [
    'a name that is computed from a value',
    '{{ secrets[db-password] }}',
    'line 1: secrets[db-password] has no value: its object is not there, or has no such property',
  ],
  ['binary as text', '\n\n{{ keystore }}', 'line 3: "keystore" is not UTF-8 text; pass it through the filter b64enc'],
  [
    'a missing field of JSON',
    '{% assign x = db | parse_json %}{{ x.pasword }}',
    'line 1: x.pasword has no value: its object is not there, or has no such property',
  ],
  [
    'a method of the prototype as a field',
    '{% assign x = db | parse_json %}{{ x.toString }}',
    'line 1: x.toString has no value: its object is not there, or has no such property',
  ],
  [
    'the insides of a number',
    '{% assign x = db | parse_json %}{{ x.big.valueOf }}',
    'line 1: x.big.valueOf has no value: its object is not there, or has no such property',
  ],
  ['JSON out of what is not', '{{ db-password | parse_json }}', 'line 1: parse_json is given a text that is not JSON'],
  [
    'JSON that is too deep',
    `{% assign x = "${'['.repeat(200)}${']'.repeat(200)}" | parse_json %}`,
    'line 1: its JSON nests deeper than 100 levels',
  ],
  ['binary as JSON', '{{ secrets | json }}', 'line 1: "keystore" is not UTF-8 text; pass it through the filter b64enc'],
  [
    'binary in a filter for text',
    '{{ keystore | upcase }}',
    'line 1: "keystore" is not UTF-8 text; pass it through the filter b64enc',
  ],
  [
    'binary in a filter that encodes text',
    '{{ keystore | percent_encode }}',
    'line 1: "keystore" is not UTF-8 text; pass it through the filter b64enc',
  ],
  [
    'filters that each double the text',
    `{{ "\\\\" ${'| properties_escape '.repeat(100)}}}`,
    'line 1: the filter properties_escape is given 524288 characters, and at most 262144 are read',
  ],
  [
    'NUL as a word of a shell',
    '{{ "AA==" | b64dec | shell_quote }}',
    'line 1: a NUL character cannot be part of a shell word',
  ],
  [
    'binary out of base64',
    '{{ "/wBB" | b64dec }}',
    'line 1: what b64dec decodes is not UTF-8 text; pass it through the filter b64enc',
  ],
  [
    'b64dec of what is not base64',
    '{{ db-password | b64dec }}',
    'line 1: the value is not base64: character 2, line breaks aside, is not of its alphabet',
  ],
  ['pem_cert of a password', '{{ db-password | pem_cert }}', 'line 1: pem_cert is given no certificate in PEM'],
  [
    'pem_ca of a leaf',
    '{{ certs["web-tls"] | pem_ca }}',
    'line 1: pem_ca is given no certificate in PEM beside the leaf',
  ],
  ['pem_key of a certificate', '{{ certs["web-tls"] | pem_key }}', 'line 1: pem_key is given no private key in PEM'],
  [
    'a list that is too long',
    '{% for i in (1..100000000) %}{{ i }}{% endfor %}',
    'line 1: the memory alloc limit is exceeded',
  ],
  [
    'output that would fill the volume',
    `{% for i in (1..100) %}${'x'.repeat(20_000)}{% endfor %}`,
    'line 1: it gives 1060000 characters or more, and 1048576 may be',
  ],
]
for (const [name, text, message] of wrong) {
  void t.test(`template failure: ${name}`, async (t) => t.rejects(render(text), new RenderFailure(message)))
}

void t.test('templates: a thread that gets no CPU exceeds the limit between two tags', async (t) => {
  const real = performance.now.bind(performance)
  let calls = 0
  const now = () => real() + (new Error().stack?.includes('liquid') ? calls++ * 4_000 : 0)
  Object.defineProperty(performance, 'now', { configurable: true, writable: true, value: now })
  t.teardown(() => Reflect.deleteProperty(performance, 'now'))
  await t.rejects(render('{{ db }}{{ db }}'), new RenderFailure('the template render limit is exceeded'))
})

void t.test('templates: an endless loop is stopped', async (t) => {
  const inner = '{% for j in list %}{% if j == "x" %}{% endif %}{% endfor %}'
  const endless = `{% assign list = "${'a,'.repeat(2000)}" | split: "," %}{% for i in list %}${inner.repeat(150)}{% endfor %}`
  await t.rejects(render(endless), new RenderFailure('line 1: the template render limit is exceeded'))
})

void t.test('templates: no failure quotes a value', async (t) => {
  const marked = filesOf({
    'db-password': 'S3CR3T',
    'tls/web.pem': 'S3CR3T',
    'tls/leaf.pem': '-----BEGIN CERTIFICATE-----\nS3CR3T\n-----END CERTIFICATE-----',
  })
  const v = 'db-password'
  const hostile = [
    `{{ secrets[${v}] }}`,
    `{{ ${v}[${v}] }}`,
    `{{ ${v}[${v}][${v}] }}`,
    `{% for x in ${v} %}{{ x.y }}{% endfor %}`,
    `{% assign x = ${v} | split: "" %}{{ x[0].y }}`,
    `{% assign x = ${v} | split: "" | group_by: ${v} %}{{ x[${v}] }}`,
    `{% assign x = secrets | where_exp: ${v}, ${v} %}{{ x }}`,
    `{% assign x = secrets | find_exp: "x", ${v} %}{{ x.z.z }}`,
    `{{ secrets | map: ${v} }}`,
    `{{ secrets | sort: ${v} | sum: ${v} }}{{ ${v} | sum | nope_ }}`,
    `{% for i in (${v}..5) limit: ${v} %}{{ i.x }}{% endfor %}`,
    `{% tablerow i in (1..3) cols: ${v} %}{{ i.x }}{% endtablerow %}`,
    `{% cycle ${v}: ${v}, nope %}`,
    `{% case ${v} %}{% when nope %}{% endcase %}`,
    `{{ ${v} | b64dec }}`,
    `{{ ${v} | parse_json }}`,
    `{% assign x = "[]" | parse_json %}{{ x[${v}] }}`,
    `{{ secrets["web-tls"] | pem_cert }}`,
    `{{ certs["web-tls"] | pem_cert }}`,
    `{{ ${v} | times: ${v} | round: ${v} | slice: ${v}, ${v} | at_least: nope }}`,
    `{{ ${v} | url_decode | replace: ${v}, nope }}`,
    `{{ ${v} | hmac_sha256: ${v} | truncate: nope }}`,
    `{{ "AA==" | b64dec | append: ${v} | shell_quote }}`,
    `{{ "%" | append: ${v} | url_decode }}`,
    `{{ "%E0%A4%A" | append: ${v} | url_decode }}`,
  ]
  for (const text of hostile) {
    const error = await render(text, marked).then(
      () => undefined,
      (error: unknown) => error as Error,
    )
    if (error === undefined) continue
    t.type(error, RenderFailure, text)
    t.notMatch(`${error.message}${error.stack}${JSON.stringify(error)}${String(error.cause)}`, /s3cr3t/i, text)
  }
})
