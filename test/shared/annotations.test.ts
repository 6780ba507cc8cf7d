import fc from 'fast-check'
import t from 'tap'
import { readAnnotations } from '../../shared/annotations/read.ts'
import type { Annotation } from '../../shared/annotations/row.ts'
import { annotations, defaultedNames, families, liveNames } from '../../shared/annotations/table.ts'
import { liveNames as followed } from '../../sidecar/live/annotations.ts'
import { annotationPrefix } from '../../shared/names.ts'

const rows = Object.entries(annotations) as [string, Annotation<unknown>][]
const read = (raw: Record<string, unknown>, on?: 'pod' | 'namespace') =>
  readAnnotations(Object.fromEntries(Object.entries(raw).map(([name, value]) => [annotationPrefix + name, value])), on)

void t.test('annotations: every example and every default is valid', async (t) => {
  for (const [name, row] of [...rows, ...(Object.entries(families) as [string, Annotation<unknown>][])]) {
    t.ok(row.parse(row.example).ok, `${name}: ${row.example}`)
    if (row.default !== undefined) t.ok(row.parse(row.default).ok, `${name}: ${row.default}`)
    t.notMatch(row.help, /\n|\.$/, `${name}: its help is one line`)
  }
})

void t.test('annotations: the sidecar follows exactly the rows that are live', async (t) => {
  t.strictSame(liveNames, ['poll-interval', 'log-level', 'refresh', 'suspend'])
  t.strictSame([...followed].toSorted(), liveNames.toSorted())
})

void t.test('annotations: a row with a default always has a value', async (t) => {
  t.strictSame(
    defaultedNames.toSorted(),
    rows
      .filter(([, row]) => row.default)
      .map(([name]) => name)
      .toSorted(),
  )
})

const right: [name: string, text: string, value: unknown][] = [
  ['inject', 'false', false],
  ['vault', ' my-kv ', 'my-kv'],
  ['mount-path', '/etc/app/secrets', '/etc/app/secrets'],
  ['containers', 'app, migrate\nworker,', ['app', 'migrate', 'worker']],
  ['poll-interval', '10m', 600_000],
  ['mode', 'native', 'native'],
  ['signal', 'SIGUSR1', 'SIGUSR1'],
  ['signal-container', 'app-1', 'app-1'],
  ['signal-process', 'nginx', 'nginx'],
  ['signal-permission', 'cap-kill', 'cap-kill'],
  ['notify-url', 'http://localhost:8080/-/reload', 'http://localhost:8080/-/reload'],
  ['notify-url', 'http://127.0.0.1', 'http://127.0.0.1/'],
  ['notify-url', 'http://[::1]:80/x', 'http://[::1]/x'],
  ['splay', '0s', 0],
  ['client-id', '0A000000-0000-0000-0000-000000000000', '0A000000-0000-0000-0000-000000000000'],
  ['tenant-id', 'contoso.onmicrosoft.com', 'contoso.onmicrosoft.com'],
  ['tenant-id', 'adfs', 'adfs'],
  ['cloud', 'AzurePublicCloud', 'AzurePublicCloud'],
  ['run-as-user', '0', 0],
  ['run-as-group', '2147483647', 2147483647],
  ['on-delete', 'delete', 'delete'],
  ['startup-timeout', '90s', 90_000],
  ['request-cpu', '250m', '250m'],
  ['limit-memory', '1.5Gi', '1.5Gi'],
  ['log-level', 'debug', 'debug'],
  ['refresh', '', ''],
  ['suspend', 'true', true],
]
for (const [name, text, value] of right) {
  void t.test(`annotations: ${name} reads ${text}`, async (t) =>
    t.strictSame(read({ [name]: text }), { values: { [name]: value }, problems: [] }),
  )
}

const duration = 'expected a duration such as 30s, 2m or 1h30m'
const url = 'expected http://localhost:PORT/... or http://127.0.0.1:PORT/...'
const quantity = 'expected a quantity such as 50m, 64Mi or 1'
const guid = 'expected a GUID such as 00000000-0000-0000-0000-000000000000'
const wrong: [name: string, text: string, problem: string][] = [
  ['inject', 'no', 'expected true or false'],
  ['vault', ' ', 'is empty'],
  ['mount-path', 'mnt/secrets', 'expected an absolute path of a folder such as /mnt/secrets, or none'],
  ['mount-path', '/', 'expected an absolute path of a folder such as /mnt/secrets, or none'],
  ['mount-path', '/mnt/../etc', 'a path may not have a component ".."'],
  ['mount-path', '/mnt/', 'a path may not have an empty component'],
  ['mount-path', '/mnt:x', 'a mount path must not contain a colon'],
  ['containers', ',', 'is empty: list the names of containers, or remove the annotation'],
  ['containers', 'app, My_App', '"My_App" is not a name of containers'],
  ['poll-interval', '10', duration],
  ['mode', 'Native', 'expected one of auto, native, classic, once (did you mean "native"?)'],
  ['signal', 'HUP', 'expected one of SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGQUIT'],
  ['signal', 'SIGKILL', 'expected one of SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGQUIT'],
  ['signal-container', 'App', 'expected the name of a container'],
  ['signal-permission', 'root', 'expected one of same-user, cap-kill'],
  ['notify-url', 'https://localhost:8080', url],
  ['notify-url', 'http://example.com', url],
  ['notify-url', 'http://localhost.example.com', url],
  ['notify-url', 'http://127.0.0.1@example.com', url],
  ['notify-url', 'localhost:8080', url],
  ['notify-url', '/reload', url],
  ['notify-url', 'http://me:pw@localhost', 'the URL must not contain a user name or password'],
  ['splay', '-1s', duration],
  ['client-id', 'my-identity', guid],
  ['client-id', '00000000-0000-0000-0000-0000000000000', guid],
  ['tenant-id', 'a/b', 'expected the ID or the domain of a tenant'],
  ['run-as-user', 'root', 'expected a numeric id from 0 to 2147483647'],
  ['run-as-user', '2147483648', 'expected a numeric id from 0 to 2147483647'],
  ['run-as-group', '-1', 'expected a numeric id from 0 to 2147483647'],
  ['on-delete', 'keep', 'expected one of retain, delete'],
  ['request-cpu', '50 m', quantity],
  ['limit-memory', '64MB', quantity],
  ['log-level', 'warning', 'expected one of trace, debug, info, warn, error (did you mean "warn"?)'],
  ['suspend', '1', 'expected true or false'],
  ['bundle-.env', 'env', 'expected one of dotenv, json, yaml, properties'],
  ['bundle-a', 'yml', 'expected one of dotenv, json, yaml, properties (did you mean "yaml"?)'],
  ['bundle-..env', 'dotenv', 'a path may not begin with ".."'],
  ['bundle-', 'dotenv', 'a path may not be empty'],
]
for (const [name, text, problem] of wrong) {
  void t.test(`annotations: ${name} rejects ${text}`, async (t) => {
    const problems = [`annotation azure.keyvault.injector/${name} ${JSON.stringify(text)}: ${problem}`]
    t.strictSame(read({ [name]: text }), { values: {}, problems })
  })
}

void t.test('annotations: a problem does not repeat a long value', async (t) => {
  t.strictSame(read({ objects: 'a_b', 'template-x': '' }).problems, [
    'annotation azure.keyvault.injector/objects: entry "a_b": name "a_b": expected 1 to 127 letters, digits and dashes',
    'annotation azure.keyvault.injector/template-x: is empty',
  ])
})

void t.test('annotations: an unknown name is a problem that suggests the nearest known one', async (t) => {
  t.strictSame(read({ singal: 'SIGHUP', frobnicate: 'x', __proto__x: '', constructor: '' }).problems, [
    'annotation azure.keyvault.injector/singal "SIGHUP": there is no such annotation (did you mean "signal"?)',
    'annotation azure.keyvault.injector/frobnicate "x": there is no such annotation',
    'annotation azure.keyvault.injector/__proto__x "": there is no such annotation',
    'annotation azure.keyvault.injector/constructor "": there is no such annotation',
  ])
})

void t.test('annotations: every problem is reported, and the other annotations are read', async (t) => {
  const { values, problems } = read({ vault: 'my-kv', mode: 'x', splay: 'y', 'poll-interval': '1m' })
  t.strictSame(values, { vault: 'my-kv', 'poll-interval': 60_000 })
  t.equal(problems.length, 2)
})

void t.test('annotations: a value that is not a string is a problem', async (t) => {
  t.strictSame(read({ suspend: true }).problems, ['annotation azure.keyvault.injector/suspend: expected a text'])
})

void t.test('annotations: names without the prefix are ignored', async (t) => {
  const raw = { 'azure.workload.identity/x': 'y', 'azure.keyvault.injector': 'z', 'x.azure.keyvault.injector/a': 'b' }
  t.strictSame(readAnnotations(raw), { values: {}, problems: [] })
})

void t.test('annotations: a Namespace cannot have an annotation that is for pods only', async (t) => {
  const { values, problems } = read({ vault: 'my-kv', refresh: '1', suspend: 'true', 'template-x': 'y' }, 'namespace')
  t.strictSame(values, { vault: 'my-kv', suspend: true, templates: { x: 'y' } })
  t.strictSame(problems, [
    'annotation azure.keyvault.injector/refresh of the namespace "1": this annotation is only allowed on pods',
  ])
})

void t.test('annotations: templates and bundles are keyed by path and keep their text', async (t) => {
  const { values, problems } = read({ 'template-app.ini': ' {{ a }}\n', 'template-b': 'x', 'bundle-.env': 'dotenv' })
  t.strictSame(problems, [])
  t.strictSame(values, { templates: { 'app.ini': ' {{ a }}\n', b: 'x' }, bundles: { '.env': 'dotenv' } })
})

void t.test('annotations: no input makes the parser throw', async () => {
  const name = fc.oneof(fc.constantFrom(...rows.map(([name]) => name), 'template-', 'bundle-x'), fc.string())
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('true', '1m', 'http://localhost', '{'),
    fc.anything(),
  )
  fc.assert(
    fc.property(fc.dictionary(name, value), (raw) => {
      const { values, problems } = read(raw)
      return Object.keys(values).length + problems.length > 0 || Object.keys(raw).length === 0
    }),
    { numRuns: 2000 },
  )
})
