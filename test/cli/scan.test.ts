import { globSync, readFileSync } from 'node:fs'
import t from 'tap'
import { stringify } from 'yaml'
import { runProgram } from '../../cli/program.ts'
import { scanDocuments } from '../../cli/scan.ts'

/** Runs `akv-injector scan` over a text. */
async function scan(text: string, ...flags: string[]): Promise<{ out: string; err: string; code: number }> {
  const result = { out: '', err: '', code: 0 }
  await runProgram(['scan', '-f', '-', ...flags], {
    version: '1.0.0',
    read: async () => text,
    out: (more) => (result.out += more),
    err: (more) => (result.err += more),
    exit: (code) => (result.code = code),
  })
  return result
}

const workload = (...env: object[]): string =>
  stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { template: { spec: { containers: [{ name: 'app', image: 'app:1', env }] } } },
  })
const configMap = (data: object): string =>
  stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' }, data })

// Put together here, so that no scanner takes this file for a leak.
const random = (length: number): string => 'aK3xQ9mZ7pL2vB8nR4tY6wE1sD5gH0jF'.repeat(4).slice(0, length)
const secrets: [what: string, name: string, value: string, reason: RegExp][] = [
  ['a token of GitHub', 'X', `gh${'p_'}${random(36)}`, /GITHUB_TOKEN/],
  ['a key of AWS', 'AWS_SECRET_ACCESS_KEY', random(40), /AWSSecretAccessKey/],
  ['a storage account', 'X', `AccountName=x;AccountKey=${random(86)}==;Suffix=y`, /access key in a connection string/],
  ['a service bus', 'X', `Endpoint=sb://x/;SharedAccessKey=${random(43)}=`, /access key in a connection string/],
  ['a shared access signature', 'X', `https://x/y?sv=1&sig=${random(44)}%3D`, /shared access signature/],
  ['a client secret of Entra ID', 'X', `abc8Q~${random(34)}`, /client secret of Microsoft Entra ID/],
  ['a private key', 'X', '-----BEGIN EC PRIVATE KEY-----\nMIGH\n-----END EC PRIVATE KEY-----', /a private key/],
  ['a JWT', 'X', `eyJhbGciOiJub25lIn0.eyJzdWIiOiJub2JvZHkifQ.${random(20)}`, /JWT/],
  ['a URL with a password', 'X', 'amqp://app:hunter2@queue:5672', /URL with a password/],
  ['a password by its name', 'DB_PASSWORD', 'hunter2', /name says/],
  ['a key by its name', 'stripe.api-key', 'hunter2', /name says/],
  ['a random text', 'X', random(28), /random-looking/],
]

void t.test('scan: names the place of each literal that looks like a secret, never its value', async (t) => {
  for (const [what, name, value, reason] of secrets) {
    for (const flags of [[], ['--json']]) {
      const { out, err, code } = await scan(workload({ name, value }), ...flags)
      t.equal(code, 1, what)
      t.match(out, reason, what)
      t.match(out, `container app, variable ${name}`, what)
      t.notOk(`${out}${err}`.includes(value.slice(-12)), `${what}: the value is not printed`)
    }
  }
})

void t.test('scan: passes over what is not a literal secret', async (t) => {
  const env = [
    { name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
    { name: 'DB_PASSWORD_FILE', value: '/mnt/secrets/db-password' },
    { name: 'TOKEN', value: '$(OTHER)' },
    { name: 'API_TOKEN', value: '' },
    { name: 'MAX_TOKEN', value: '4096' },
    { name: 'TOKEN_URL', value: 'https://login.microsoftonline.com/common' },
    { name: 'USE_SECRET', value: 'true' },
    { name: 'SECRET', value: '<your secret>' },
    { name: 'TENANT', value: '2f1f1b9e-4c0a-4b55-8f0e-7f2f3cb4a9d1' },
    { name: 'IMAGE', value: `registry.example.com/app@sha256:${'0a1b2c3d'.repeat(8)}` },
  ]
  t.strictSame(await scan(workload(...env)), { out: '', err: '', code: 0 })
})

void t.test('scan: names the key and the line of a ConfigMap', async (t) => {
  const certificate = `-----BEGIN CERTIFICATE-----\n${random(64)}\n-----END CERTIFICATE-----`
  const properties = `# settings\nhost=db\n${certificate}\ndb.password = "hunter2"\nurl: jdbc:x\n`
  const { out, code } = await scan(configMap({ 'app.properties': properties, token: 'hunter2', 'ca.crt': certificate }))
  t.equal(code, 1)
  t.strictSame(out.trim().split('\n'), [
    'ConfigMap default/web: key app.properties, line 6: a value whose name says that it is secret',
    'ConfigMap default/web: key token: a value whose name says that it is secret',
  ])
})

void t.test('scan: finds nothing in the manifests of this repository', async (t) => {
  for (const file of globSync('manifests/**/*.yaml')) {
    const result = await scanDocuments(readFileSync(file, 'utf8'), 'default')
    if (result.ok) t.strictSame(result.value, [], file)
  }
})

void t.test('scan: a text that cannot be read is an error of its own', async (t) => {
  const { err, code } = await scan('a: [')
  t.equal(code, 2)
  t.match(err, /^akv-injector scan: -: document 1: not valid YAML/)
})
