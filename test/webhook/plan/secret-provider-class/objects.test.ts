import t from 'tap'
import {
  array,
  chain,
  classOf,
  clientOfClass,
  container,
  file,
  filesOf,
  leaf,
  one,
  password,
  pem,
  podWith,
  root,
  settingsOf,
  signing,
  tenantOfClass,
  told,
} from './fixture.ts'

const spki = signing.export({ type: 'spki', format: 'pem' }) as string

const decoded = Buffer.from([0, 1, 2, 255])

const good: Record<string, [Record<string, string | undefined>, Record<string, string>]> = {
  'a secret, under its name': [{}, { 'db-password': file('pässword\n') }],
  'an alias': [one(...password, 'objectAlias: DB_PASS'), { DB_PASS: file('pässword\n') }],
  'an alias in a folder': [
    one(...password, 'objectAlias: db/main/password'),
    { 'db/main/password': file('pässword\n') },
  ],
  'an alias that is empty': [one(...password, 'objectAlias: ""'), { 'db-password': file('pässword\n') }],
  'nothing, null and ~ are unset': [
    one(
      ...password,
      'objectAlias:',
      'objectVersion: null',
      'objectFormat: ~',
      'objectEncoding: ""',
      'filePermission:',
      'objectVersionHistory:',
    ),
    { 'db-password': file('pässword\n') },
  ],
  'a quoted null is a text': [one(...password, 'objectAlias: "null"'), { null: file('pässword\n') }],
  'an alias of digits stays what it is': [one(...password, 'objectAlias: 0755'), { '0755': file('pässword\n') }],
  'blanks around values': [
    {
      keyvaultName: ' my-kv ',
      tenantID: `${tenantOfClass}\n`,
      clientID: ` ${clientOfClass}`,
      ...one('objectName: " db-password "', 'objectType: " secret "', 'objectAlias: " a "'),
    },
    { a: file('pässword\n') },
  ],
  'the version latest': [one(...password, 'objectVersion: latest'), { 'db-password': file('pässword\n') }],
  'an empty version': [one(...password, 'objectVersion: ""'), { 'db-password': file('pässword\n') }],
  'a file permission': [one(...password, 'filePermission: 0400'), { 'db-password': file('pässword\n', 0o400) }],
  'a file permission in quotes': [
    one(...password, 'filePermission: "0640"'),
    { 'db-password': file('pässword\n', 0o640) },
  ],
  'a file permission without a zero': [
    one(...password, 'filePermission: 600'),
    { 'db-password': file('pässword\n', 0o600) },
  ],
  base64: [one('objectName: blob', 'objectType: secret', 'objectEncoding: base64'), { blob: file(decoded) }],
  'encoding in capitals': [
    one('objectName: blob', 'objectType: secret', 'objectEncoding: BASE64'),
    { blob: file(decoded) },
  ],
  hex: [one('objectName: hexed', 'objectType: secret', 'objectEncoding: hex'), { hexed: file(Buffer.from([0, 255])) }],
  'utf-8 said aloud': [one(...password, 'objectEncoding: utf-8'), { 'db-password': file('pässword\n') }],
  'a key': [one('objectName: signing', 'objectType: key'), { signing: file(spki) }],
  'a certificate': [one('objectName: web-tls', 'objectType: cert'), { 'web-tls': file(leaf) }],
  'a PKCS#12 certificate as secret': [
    one('objectName: web-tls', 'objectType: secret'),
    { 'web-tls': file(chain.key + leaf + root) },
  ],
  'a PKCS#12 certificate as pfx': [
    one('objectName: web-tls', 'objectType: secret', 'objectFormat: pfx'),
    { 'web-tls': file(container.toString('base64')) },
  ],
  'a pfx in binary': [
    one(
      'objectName: web-tls',
      'objectType: secret',
      'objectFormat: PFX',
      'objectEncoding: base64',
      'objectAlias: web.pfx',
    ),
    { 'web.pfx': file(container) },
  ],
  'a PEM certificate as secret, as it is': [
    one('objectName: pem-tls', 'objectType: secret', 'objectFormat: pem'),
    { 'pem-tls': file(pem) },
  ],
  'a history of 0 is none': [one(...password, 'objectVersionHistory: 0'), { 'db-password': file('pässword\n') }],
  'a history of 1 is none': [one(...password, 'objectVersionHistory: 1'), { 'db-password': file('pässword\n') }],
  'a history of 2 is two files': [
    one('objectName: rotated', 'objectType: secret', 'objectVersionHistory: 2'),
    { 'rotated/0': file('three'), 'rotated/1': file('two') },
  ],
  'a history of more than there are, with alias and permission': [
    one(
      'objectName: rotated',
      'objectType: secret',
      'objectVersionHistory: "5"',
      'objectAlias: old/one',
      'filePermission: 0440',
    ),
    { 'old/one/0': file('three', 0o440), 'old/one/1': file('two', 0o440), 'old/one/2': file('one', 0o440) },
  ],
  'a secret, its certificate and its key of one name': [
    {
      objects: array(
        ['objectName: web-tls', 'objectType: secret', 'objectAlias: tls/key-and-chain.pem'],
        ['objectName: web-tls', 'objectType: cert', 'objectAlias: tls/leaf.pem'],
        ['objectName: signing', 'objectType: key', 'objectAlias: tls/signing.pem'],
      ),
    },
    {
      'tls/key-and-chain.pem': file(chain.key + leaf + root),
      'tls/leaf.pem': file(leaf),
      'tls/signing.pem': file(spki),
    },
  ],
  'objects as flow YAML': [
    { objects: '{array: ["{objectName: db-password, objectType: secret}"]}' },
    { 'db-password': file('pässword\n') },
  ],
}

for (const [name, [parameters, files]] of Object.entries(good)) {
  void t.test(`SecretProviderClass: ${name}`, async (t) => {
    const classes = { kv: classOf(parameters) }
    const asText =
      'set objectEncoding: base64 for a binary file: web-tls has format pfx, which is written as base64 text'
    t.strictSame(told(classes), { problems: [], warnings: name.endsWith('as pfx') ? [asText] : [] })
    const settings = settingsOf(classes)
    t.strictSame(await filesOf(settings), files)
    t.ok(settings.objects.every((object) => object.vault === 'https://my-kv.vault.azure.net'))
    t.strictSame(settings.identities, [{ cloud: 'AzurePublicCloud', tenantId: tenantOfClass, clientId: clientOfClass }])
  })
}

void t.test('SecretProviderClass: a version is pinned', async (t) => {
  const { objects } = settingsOf({ kv: classOf(one(...password, 'objectVersion: 0123456789')) })
  t.match(objects, [{ name: 'db-password', version: '0123456789' }])
})

void t.test('SecretProviderClass: fsGroup restricts files without their own permission', async (t) => {
  const classes = {
    kv: classOf({ objects: array(password, [...password, 'objectAlias: open', 'filePermission: 0444']) }),
  }
  const settings = settingsOf(classes, podWith('kv', {}, { securityContext: { fsGroup: 2000 } }))
  t.strictSame(await filesOf(settings), { 'db-password': file('pässword\n', 0o440), open: file('pässword\n') })
})
