import fc from 'fast-check'
import t from 'tap'
import { builtInClouds } from '../../../shared/clouds/clouds.ts'
import { fail, ok } from '../../../shared/result.ts'
import {
  checkSettings,
  decodeSettings,
  encodeSettings,
  maxEncodedSettings,
  plannedFiles,
  type Settings,
} from '../../../shared/settings/codec.ts'
import { objectSpec } from '../../support/object-spec.ts'

const object = objectSpec('db-password', { path: 'db/password' })
const settings: Settings = {
  schema: 1,
  version: '0.1.0',
  mountPath: '/mnt/secrets',
  mode: 'native',
  clouds: { ...builtInClouds },
  identities: [{ cloud: 'AzurePublicCloud' }, { cloud: 'AzureChinaCloud', tenantId: 't', clientId: 'c' }],
  objects: [object],
  templates: { 'app.ini': 'pässword = {{ db-password }} $(HOME)' },
  bundles: { '.env': 'dotenv', 'app.env': { format: 'dotenv', only: ['db/password'], names: { 'db/password': 'PW' } } },
  fileMode: 0o444,
  onDelete: 'retain',
  pollInterval: 120_000,
  bounds: { pollInterval: { min: 30_000, max: 86_400_000 } },
  fullRefresh: 3_600_000,
  startupTimeout: 300_000,
  expiryHorizon: 1_209_600_000,
  logLevel: 'info',
  port: 20471,
  notify: { signal: { name: 'SIGHUP', container: 'app' }, url: 'http://localhost/', splay: 0 },
  admitted: { containers: ['app'] },
}

void t.test('settings: what is encoded is decoded', async (t) => {
  t.strictSame(decodeSettings(encodeSettings(settings)), ok(settings))
})

void t.test('settings: the kubelet finds nothing to expand, whatever a template contains', async () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
      (text) => {
        const encoded = encodeSettings({ ...settings, templates: { x: text } })
        const decoded = decodeSettings(encoded)
        return /^[-\w]+$/.test(encoded) && decoded.ok && decoded.value.templates['x'] === text
      },
    ),
  )
})

void t.test('settings: a process starts with the longest settings', async (t) => {
  // The kernel takes 128 KiB for one variable, name and NUL included (MAX_ARG_STRLEN).
  t.ok(maxEncodedSettings < 128 * 1024 - 100)
})

for (const encoded of ['', 'x', '!!!!', Buffer.from('{').toString('base64url')]) {
  void t.test(`settings: ${JSON.stringify(encoded)} is not base64url of JSON`, async (t) => {
    t.strictSame(decodeSettings(encoded), fail('the settings are not base64url of JSON'))
  })
}

const wrong: [name: string, fields: object, problem: RegExp | string][] = [
  ['another schema', { schema: 2 }, /^\/schema: /],
  ['an unknown field', { surprise: true }, /^\/surprise: /],
  ['no objects', { objects: [] }, /^objects: expected at least one object or find/],
  ['a relative mount', { mountPath: 'mnt' }, /^\/mountPath: /],
  ['a mode that is not decided', { mode: 'auto' }, /^\/mode: /],
  [
    'a signal that ends',
    { notify: { signal: { name: 'SIGKILL', container: 'app' }, splay: 0 } },
    /^\/notify\/signal\/name: /,
  ],
  ['a fraction of a millisecond', { pollInterval: 0.5 }, /^\/pollInterval: /],
  ['a port beyond the last', { port: 65536 }, /^\/port: /],
  ['a mode with more bits', { fileMode: 0o1777 }, /^\/fileMode: /],
  ['a bundle of another format', { bundles: { x: 'toml' } }, /^\/bundles\/x: /],
  ['an object with a wrong name', { objects: [{ ...object, name: 'a/b' }] }, /^\/objects\/0\/name: /],
  [
    'an identity of no cloud',
    { identities: [{ cloud: 'AzureMoonCloud' }] },
    'identities: there is no cloud "AzureMoonCloud"',
  ],
  [
    'a cloud that is a word of JavaScript',
    { identities: [{ cloud: 'constructor' }] },
    'identities: there is no cloud "constructor"',
  ],
  ['an object of no identity', { objects: [{ ...object, identity: 2 }] }, 'secret db-password: there is no identity 2'],
  [
    'an object outside of the mount',
    { objects: [{ ...object, path: '../x' }] },
    'secret db-password: a path may not begin with ".."',
  ],
  [
    'a template outside of the mount',
    { templates: { '/x': '' } },
    'template "/x": a path is relative to the mount and may not begin with "/"',
  ],
  [
    'a bundle outside of the mount',
    { bundles: { 'a/../..': 'json' } },
    'bundle "a/../..": a path may not have a component ".."',
  ],
  [
    'fields of a secret on a key',
    { objects: [{ ...object, type: 'key', split: true }] },
    'key db-password: split is for type secret only, not key',
  ],
  [
    'two files of one path',
    { bundles: { 'app.ini': 'json' } },
    'bundle "app.ini" and template "app.ini" are both written to "app.ini"; give one of them another path',
  ],
  [
    'a file where a folder is',
    { templates: { db: '' } },
    'secret db-password is written to "db/password", but template "db" is a file at "db"; give one of them another path',
  ],
]
for (const [name, fields, problem] of wrong) {
  void t.test(`settings: invalid, ${name}`, async (t) => {
    const checked = checkSettings({ ...settings, ...fields })
    if (checked.ok) return t.fail('it is accepted')
    t.match(checked.problems[0], problem)
    t.strictSame(decodeSettings(encodeSettings({ ...settings, ...fields })), checked)
  })
}

void t.test('settings: problems do not repeat a template', async (t) => {
  const checked = checkSettings({ ...settings, templates: { x: 17, y: 'S3CR3T' }, objects: 'S3CR3T' })
  t.notOk(checked.ok)
  t.notMatch(JSON.stringify(checked), 'S3CR3T')
})

void t.test('settings: no value makes the check throw', async () => {
  fc.assert(fc.property(fc.anything(), (value) => !checkSettings(value).ok))
  const field = fc.constantFrom(...Object.keys(settings))
  fc.assert(
    fc.property(
      field,
      fc.anything(),
      (field, value) => typeof checkSettings({ ...settings, [field]: value }).ok === 'boolean',
    ),
  )
})

void t.test('settings: the files of a pod are derived from them', async (t) => {
  t.strictSame(plannedFiles(settings), [
    { path: 'db/password', source: 'secret db-password' },
    { path: 'app.ini', source: 'template "app.ini"' },
    { path: '.env', source: 'bundle ".env"' },
    { path: 'app.env', source: 'bundle "app.env"' },
  ])
})
