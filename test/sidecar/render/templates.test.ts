import fc from 'fast-check'
import t from 'tap'
import type { Files } from '../../../sidecar/render/contents.ts'
import { RenderFailure } from '../../../sidecar/render/rendered.ts'
import { renderTemplate } from '../../../sidecar/render/templates.ts'
import { spec } from './objects.ts'
import { Pki } from './pki.ts'

const pki = new Pki(t)
const chain = pki.chain('P-256', 3)
const [leaf, authority, root] = chain.certificates as [string, string, string]

const objects = [
  spec('db-password'),
  spec('web-tls', { path: 'tls/web.pem', split: true }),
  spec('keystore'),
  spec('optional', { optional: true }),
  spec('token', { history: 2 }),
  spec('web-tls', { type: 'cert', path: 'tls/leaf.pem' }),
  spec('api', { path: 'one' }),
  spec('api', { path: 'two', vault: 'https://other.vault.azure.net' }),
]
const filesOf = (contents: Record<string, string | Uint8Array>): Files =>
  new Map(Object.entries(contents).map(([path, content]) => [path, { content: Buffer.from(content) }]))
const files = filesOf({
  'db-password': 'pä"s\n$word',
  'tls/web.pem': root + chain.key + leaf + authority,
  'tls/web.pem.key': chain.key,
  'tls/leaf.pem': leaf,
  keystore: Uint8Array.of(0xff, 0x00, 0x41),
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
  ['pem_key is the key alone', '{{ secrets["web-tls"] | pem_key }}', chain.key],
  ['pem_key of a .key', '{{ files["tls/web.pem.key"] | pem_key }}', chain.key],
  ['a certificate and a secret of one name', '{{ certs["web-tls"] }}', leaf],
  ['history: the name is the newest version', '{{ token }} {{ secrets.token }} {{ files["token/1"] }}', 'new new old'],
  ['two objects of one name, by their paths', '{{ files.one }}{{ files["two"] }}', '12'],
  ['an optional object that is not there', '{% if secrets.optional %}yes{% else %}no{% endif %}{{ optional | default: "-" }}', 'no-'],
  ['all secrets that have one meaning', '{% for s in secrets %}{{ s[0] }} {% endfor %}', 'db-password web-tls keystore token '],
  ['white space control', '{% assign x = "1" -%}\n{{- x -}}  \n2', '12'],
] // prettier-ignore
for (const [name, text, output] of right) {
  void t.test(name, async (t) => t.equal(await render(text), output))
}

void t.test('what a value says is never read as a template', async () => {
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
  ['a problem that the admission would have found', '{{ secrets.nope }}\n{{ api }}', 'line 1: there is no secrets["nope"] (there is db-password, web-tls, keystore, optional, token, api); line 2: "api" may mean several objects; use files["one"] or files["two"]'],
  ['an optional object that is not there', 'a\n{{ secrets.optional }}', 'line 2: secrets.optional has no value: its object is not there, or has no such property'],
  ['a property that a value does not have', '{{ db-password.foo }}', 'line 1: db-password.foo has no value: its object is not there, or has no such property'],
  ['a name that is computed from a value', '{{ secrets[db-password] }}', 'line 1: secrets[db-password] has no value: its object is not there, or has no such property'],
  ['binary as text', '\n\n{{ keystore }}', 'line 3: "keystore" is not UTF-8 text; pass it through the filter b64enc'],
  ['binary as JSON', '{{ secrets | json }}', 'line 1: "keystore" is not UTF-8 text; pass it through the filter b64enc'],
  ['binary in a filter for text', '{{ keystore | upcase }}', 'line 1: "keystore" is not UTF-8 text; pass it through the filter b64enc'],
  ['binary out of base64', '{{ "/wBB" | b64dec }}', 'line 1: what b64dec decodes is not UTF-8 text; pass it through the filter b64enc'],
  ['b64dec of what is not base64', '{{ db-password | b64dec }}', 'line 1: the value is not base64: character 2, line breaks aside, is not of its alphabet'],
  ['pem_cert of a password', '{{ db-password | pem_cert }}', 'line 1: pem_cert is given no certificate in PEM'],
  ['pem_key of a certificate', '{{ certs["web-tls"] | pem_key }}', 'line 1: pem_key is given no private key in PEM'],
  ['a list that is too long', '{% for i in (1..100000000) %}{{ i }}{% endfor %}', 'line 1: the memory alloc limit is exceeded'],
  ['output that would fill the volume', `{% for i in (1..100) %}${'x'.repeat(20_000)}{% endfor %}`, 'line 1: it gives 1060000 characters or more, and 1048576 may be'],
] // prettier-ignore
for (const [name, text, message] of wrong) {
  void t.test(name, async (t) => t.rejects(render(text), new RenderFailure(message)))
}

void t.test('a loop without end is stopped', async (t) => {
  const inner = '{% for j in list %}{% if j == "x" %}{% endif %}{% endfor %}'
  const endless = `{% assign list = "${'a,'.repeat(2000)}" | split: "," %}{% for i in list %}${inner.repeat(150)}{% endfor %}`
  await t.rejects(render(endless), new RenderFailure('line 1: the template render limit is exceeded'))
})

void t.test('no failure says anything of a value', async (t) => {
  const marked = filesOf({ 'db-password': 'S3CR3T', 'tls/web.pem': 'S3CR3T', 'tls/leaf.pem': '-----BEGIN CERTIFICATE-----\nS3CR3T\n-----END CERTIFICATE-----' }) // prettier-ignore
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
    `{{ secrets["web-tls"] | pem_cert }}`,
    `{{ certs["web-tls"] | pem_cert }}`,
    `{{ ${v} | times: ${v} | round: ${v} | slice: ${v}, ${v} | at_least: nope }}`,
    `{{ ${v} | url_decode | replace: ${v}, nope }}`,
    `{{ ${v} | hmac_sha256: ${v} | truncate: nope }}`,
    `{{ "%" | append: ${v} | url_decode }}`,
    `{{ "%E0%A4%A" | append: ${v} | url_decode }}`,
  ]
  for (const text of hostile) {
    const error = await render(text, marked).then(() => undefined, (error: unknown) => error as Error) // prettier-ignore
    if (error === undefined) continue
    t.type(error, RenderFailure, text)
    t.notMatch(`${error.message}${error.stack}${JSON.stringify(error)}${String(error.cause)}`, /s3cr3t/i, text)
  }
})
