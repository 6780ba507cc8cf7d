import t from 'tap'
import { createRenderer } from '../../../shared/render/renderer.ts'
import type { FileSet } from '../../../shared/render/rendered.ts'
import type { Fetched } from '../../../shared/vault/store.ts'
import { secretData } from '../../../sync/secret-data.ts'
import type { SecretTypeName } from '../../../sync/secret-types.ts'
import { objectSpec } from '../../support/object-spec.ts'
import { secret } from './objects.ts'

// Messages go to the log, /status, the termination message and Events. A value that is not what its object expects
// is often a password in the wrong place, which a parser may take for something with names.

const certified = { keyId: 'https://my-kv.vault.azure.net/keys/name/v1' }

/** Values that contain the canary where a parser reads a name, a tag, an alias, a number, a label or an algorithm. */
const values: string[] = [
  'Kx9aaQ2',
  'Kx9aaQ2:',
  'Kx9aaQ2: 7pQz',
  '{Kx9aaQ2}',
  '{Kx9aaQ2: [',
  '[Kx9aaQ2: 7pQz]',
  '- Kx9aaQ2: 7pQz',
  '? Kx9aaQ2',
  '? {Kx9aaQ2}',
  '!Kx9aaQ2 a:',
  '!!Kx9aaQ2 a',
  '&Kx9aaQ2 a: *Kx9aaQ2',
  '*Kx9aaQ2',
  '%Kx9aaQ2\n---\na:',
  '"Kx9aaQ2\\q": a',
  "'Kx9aaQ2",
  '|Kx9aaQ2\n a',
  '@Kx9aaQ2',
  'a: 1\nKx9aaQ2: 1\nKx9aaQ2: 2',
  'AccountKey=Kx9aaQ2==;Endpoint: x',
  '"Kx9aaQ2"',
  '["Kx9aaQ2"]',
  '{"a":"Kx9aaQ2"',
  '{"a":{"b":"Kx9aaQ2"}}',
  '{"a":["Kx9aaQ2"]}',
  'Kx9aaQ2\0',
  'Kx9aaQ2\'"\\\n`',
  'Kx9aaQ2\r\n',
  '{{ Kx9aaQ2 }}',
  '{% Kx9aaQ2 %}',
  'item.Kx9aaQ2 | Kx9aaQ2: 1',
  'item Kx9aaQ2',
  'MIIKx9aaQ2aa',
  '-----BEGIN Kx9aaQ2-----\nKx9aaQ2\n-----END Kx9aaQ2-----',
  '-----BEGIN CERTIFICATE-----\nKx9aaQ2\n-----END CERTIFICATE-----',
  '-----BEGIN PRIVATE KEY-----\nKx9aaQ2\n-----END PRIVATE KEY-----',
  Buffer.from('Kx9aaQ2').toString('base64'),
  Buffer.from('Kx9aaQ2').toString('hex'),
  Buffer.from([0x30, 11, 0x06, 9, ...Buffer.from('Kx9aaQ2!!')]).toString('base64'),
]
const forms = ['Kx9aaQ2', '7pQz', Buffer.from('Kx9aaQ2').toString('base64'), Buffer.from('Kx9aaQ2').toString('hex')]

const objects = [
  objectSpec('plain'),
  objectSpec('property', { property: 'password' }),
  objectSpec('inner', { property: 'a.password' }),
  objectSpec('item', { property: '0.password' }),
  objectSpec('base64', { encoding: 'base64' }),
  objectSpec('hex', { encoding: 'hex' }),
  objectSpec('property-hex', { property: 'a.b', encoding: 'hex' }),
  objectSpec('truststore', { format: 'truststore' }),
  objectSpec('split', { split: true }),
  objectSpec('pem', { convert: true }),
  objectSpec('pfx', { format: 'pfx', convert: true }),
]
const contentTypes = [undefined, 'application/x-pem-file', 'application/x-pkcs12']

const templates = Object.fromEntries(
  [
    ...['b64dec', 'pem_cert', 'pem_key', 'pem_ca', 'parse_json', 'shell_quote', 'split: ","', 'times: 2', 'first.a'],
    ...['parse_json.password', 'sort: "a"', 'map: "a"', 'json | parse_json', 'where: "a"', 'date: "%s"'],
  ].map((filter, index) => [`filter-${index}`, `{{ secrets["plain"] | ${filter} }}`]),
)
const texts: Record<string, string> = {
  ...templates,
  field: '{% assign a = secrets["plain"] | parse_json %}{{ a.b.password }}',
  name: '{{ secrets[secrets["plain"]] }}',
  loop: '{% for one in (1..secrets["plain"]) %}{{ one.x }}{% endfor %}',
  where: '{% assign a = "x,y" | split: "," | where_exp: "item", secrets["plain"] %}{{ a }}',
  group: '{% assign a = "x,y" | split: "," | group_by_exp: "item", secrets["plain"] %}{{ a }}',
}

/** Returns everything that rendering a value says. */
async function messagesOf(version: Fetched): Promise<string[]> {
  const renderer = createRenderer({
    objects,
    templates: texts,
    bundles: { env: 'dotenv', 'bundle.json': 'json' },
    variables: { PLAIN: 'plain', PROPERTY: 'property' },
  })
  const rendered = await renderer.objects(new Map([[{ objects: [...objects.keys()] }, [version]]]))
  const said = [...rendered.values()].flatMap((one) => (one.ok ? one.value.warnings : one.problems))
  const content = 'secret' in version.content ? Buffer.from(version.content.secret) : Buffer.alloc(0)
  const files: FileSet = new Map(objects.map(({ path }) => [path, { content, mode: 0o444 }]))
  said.push(...[...(await renderer.texts(files)).values()].flatMap((one) => (one.ok ? [] : one.problems)))
  const keys: [SecretTypeName, string[]][] = [
    ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
    ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ]
  for (const [type, names] of keys) {
    const data = new Map(names.map((name) => [name, 'plain']))
    const made = await secretData({ name: 's', type, data } as unknown as Parameters<typeof secretData>[0], files)
    said.push(...(made.ok ? [] : made.problems))
  }
  return said
}

for (const value of values)
  void t.test(`canaries: no message about ${JSON.stringify(value)} quotes any of it`, async (t) => {
    for (const contentType of contentTypes)
      for (const fields of contentType === undefined ? [{}] : [{ contentType }, { contentType, ...certified }]) {
        const said = await messagesOf(secret(value, fields))
        t.ok(said.length > 10, 'most of the files fail')
        for (const form of forms) t.notOk(said.join('\n').includes(form), said.join('\n'))
      }
  })
