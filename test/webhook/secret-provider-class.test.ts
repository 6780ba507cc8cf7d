import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import type { ObjectSpec } from '../../shared/object-spec.ts'
import { checkSettings, type Settings } from '../../shared/settings.ts'
import { composeObjects } from '../../sidecar/compose.ts'
import { renderObject } from '../../sidecar/render/render-object.ts'
import type { Fetched } from '../../sidecar/vault/vault.ts'
import { decide } from '../../webhook/decide.ts'
import type { Surroundings } from '../../webhook/plan.ts'
import type { FoundClass } from '../../webhook/secret-provider-class/resolve-classes.ts'
import { fetched, pemSecret, pkcs12Secret, secret } from '../sidecar/render/objects.ts'
import { Pki } from '../sidecar/render/pki.ts'
import { annotated } from './review-app.ts'
import { clientId, configurationOf, surroundings, tenantId } from './setting.ts'

const pki = new Pki(t)
const chain = pki.chain('RSA 2048', 2)
const [leaf = '', root = ''] = chain.certificates
const container = pki.pkcs12(chain)
const pem = root + chain.key + leaf
const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey

/** What the vault holds, the newest version first. */
const vault: Record<string, Fetched[]> = {
  'secret db-password': [secret('pässword\n')],
  'secret blob': [secret('AAEC/w==')],
  'secret hexed': [secret('00ff')],
  'secret rotated': ['three', 'two', 'one'].map((value, age) => secret(value, { version: `v${3 - age}` })),
  'secret web-tls': [pkcs12Secret(container)],
  'secret pem-tls': [pemSecret(pem)],
  'key signing': [fetched({ key: signing.export({ format: 'jwk' }) })],
  'key rotated': [fetched({ key: signing.export({ format: 'jwk' }) })],
  'cert web-tls': [fetched({ certificate: new X509Certificate(leaf).raw })],
}
const spki = signing.export({ type: 'spki', format: 'pem' }) as string

/** Every file that a pod with these settings gets, as `bytes (permission bits)`. */
async function filesOf(settings: Settings): Promise<Record<string, string>> {
  const fresh = new Map<number, Awaited<ReturnType<typeof renderObject>>['files']>()
  for (const [index, object] of settings.objects.entries()) {
    const versions = vault[`${object.type} ${object.name}`]
    if (versions === undefined) throw new Error(`the vault has no ${object.type} ${object.name}`)
    fresh.set(index, (await renderObject(object, versions)).files)
  }
  const { files, missing } = composeObjects(settings, undefined, fresh)
  if (missing.length > 0) throw new Error(JSON.stringify(missing))
  return Object.fromEntries([...files].map(([path, { content, mode }]) => [path, file(content, mode)]))
}
const file = (content: string | Uint8Array, mode = 0o444): string => `${Buffer.from(content).toString('latin1')} (${mode.toString(8).padStart(4, '0')})` // prettier-ignore

const clientOfClass = '33333333-3333-3333-3333-333333333333'
const tenantOfClass = '44444444-4444-4444-4444-444444444444'

/** The parameter `objects`: each object the text of its fields, as the documentation has them. */
const array = (...objects: (string | string[])[]): string =>
  ['array:', ...objects.flatMap((lines) => ['  - |', ...[lines].flat().map((line) => `    ${line}`)])].join('\n') // prettier-ignore
const one = (...lines: string[]): { objects: string } => ({ objects: array(lines) })
const password = ['objectName: db-password', 'objectType: secret']

const usual = { keyvaultName: 'my-kv', tenantID: tenantOfClass, clientID: clientOfClass, ...one(...password) }
/** A class of the usual parameters with some replaced (undefined: left out). */
function classOf(parameters: Record<string, string | undefined> = {}, spec: object = {}): FoundClass {
  const all = Object.entries({ ...usual, ...parameters }).filter(([, value]) => value !== undefined)
  return { spec: { provider: 'azure', parameters: Object.fromEntries(all), ...spec } }
}

/** A pod that has nothing but the annotation `secret-provider-class`, as who moves over from the driver writes it. */
const podWith = (value: string, annotations: Record<string, string> = {}, spec: object = {}) => {
  const { metadata, spec: podSpec } = annotated({}, spec)
  const prefixed = Object.entries({ 'secret-provider-class': value, ...annotations }).map(([name, text]) => [name.includes('/') ? name : `azure.keyvault.injector/${name}`, text]) // prettier-ignore
  return { metadata: { ...metadata, annotations: Object.fromEntries(prefixed) as Record<string, string> }, spec: podSpec } // prettier-ignore
}

function decisionOn(classes: Record<string, FoundClass>, pod?: object, changes: Partial<Surroundings> = {}) {
  const names = Object.keys(classes)
  const around = surroundings({ secretProviderClasses: new Map(Object.entries(classes)), ...changes })
  return decide(pod ?? podWith(names.join(',')), around)
}
function settingsOf(classes: Record<string, FoundClass>, pod?: object, changes: Partial<Surroundings> = {}): Settings {
  const decision = decisionOn(classes, pod, changes)
  if (decision.kind !== 'inject') throw new Error(JSON.stringify(decision))
  const checked = checkSettings(JSON.parse(JSON.stringify(decision.settings)))
  if (!checked.ok) throw new Error(checked.problems.join('\n'))
  return decision.settings
}
function told(classes: Record<string, FoundClass>, pod?: object, changes: Partial<Surroundings> = {}) {
  const decision = decisionOn(classes, pod, changes)
  const problems = decision.kind === 'deny' ? decision.problems.map(({ reason, text }) => `${reason}: ${text}`) : []
  return { problems, warnings: decision.warnings.map(({ text }) => text) }
}

const decoded = Buffer.from([0, 1, 2, 255])
const good: Record<string, [Record<string, string | undefined>, Record<string, string>]> = {
  'a secret, under its name': [{}, { 'db-password': file('pässword\n') }],
  'an alias': [one(...password, 'objectAlias: DB_PASS'), { DB_PASS: file('pässword\n') }],
  'an alias in a folder': [one(...password, 'objectAlias: db/main/password'), { 'db/main/password': file('pässword\n') }], // prettier-ignore
  'an alias that is empty': [one(...password, 'objectAlias: ""'), { 'db-password': file('pässword\n') }],
  'nothing, null and ~ are unset': [one(...password, 'objectAlias:', 'objectVersion: null', 'objectFormat: ~', 'objectEncoding: ""', 'filePermission:', 'objectVersionHistory:'), { 'db-password': file('pässword\n') }], // prettier-ignore
  'a quoted null is a text': [one(...password, 'objectAlias: "null"'), { null: file('pässword\n') }],
  'an alias of digits stays what it is': [one(...password, 'objectAlias: 0755'), { '0755': file('pässword\n') }],
  'blanks around values': [{ keyvaultName: ' my-kv ', tenantID: `${tenantOfClass}\n`, clientID: ` ${clientOfClass}`, ...one('objectName: " db-password "', 'objectType: " secret "', 'objectAlias: " a "') }, { a: file('pässword\n') }], // prettier-ignore
  'the version latest': [one(...password, 'objectVersion: latest'), { 'db-password': file('pässword\n') }],
  'an empty version': [one(...password, 'objectVersion: ""'), { 'db-password': file('pässword\n') }],
  'a file permission': [one(...password, 'filePermission: 0400'), { 'db-password': file('pässword\n', 0o400) }],
  'a file permission in quotes': [one(...password, 'filePermission: "0640"'), { 'db-password': file('pässword\n', 0o640) }], // prettier-ignore
  'a file permission without a zero': [one(...password, 'filePermission: 600'), { 'db-password': file('pässword\n', 0o600) }], // prettier-ignore
  base64: [one('objectName: blob', 'objectType: secret', 'objectEncoding: base64'), { blob: file(decoded) }],
  'encoding in capitals': [one('objectName: blob', 'objectType: secret', 'objectEncoding: BASE64'), { blob: file(decoded) }], // prettier-ignore
  'hex': [one('objectName: hexed', 'objectType: secret', 'objectEncoding: hex'), { hexed: file(Buffer.from([0, 255])) }], // prettier-ignore
  'utf-8 said aloud': [one(...password, 'objectEncoding: utf-8'), { 'db-password': file('pässword\n') }],
  'a key': [one('objectName: signing', 'objectType: key'), { signing: file(spki) }],
  'a certificate': [one('objectName: web-tls', 'objectType: cert'), { 'web-tls': file(leaf) }],
  'a PKCS#12 certificate as secret': [one('objectName: web-tls', 'objectType: secret'), { 'web-tls': file(chain.key + leaf + root) }], // prettier-ignore
  'a PKCS#12 certificate as pfx': [one('objectName: web-tls', 'objectType: secret', 'objectFormat: pfx'), { 'web-tls': file(container.toString('base64')) }], // prettier-ignore
  'a pfx in binary': [one('objectName: web-tls', 'objectType: secret', 'objectFormat: PFX', 'objectEncoding: base64', 'objectAlias: web.pfx'), { 'web.pfx': file(container) }], // prettier-ignore
  'a PEM certificate as secret, as it is': [one('objectName: pem-tls', 'objectType: secret', 'objectFormat: pem'), { 'pem-tls': file(pem) }], // prettier-ignore
  'a history of 0 is none': [one(...password, 'objectVersionHistory: 0'), { 'db-password': file('pässword\n') }],
  'a history of 1 is none': [one(...password, 'objectVersionHistory: 1'), { 'db-password': file('pässword\n') }],
  'a history of 2 is two files': [one('objectName: rotated', 'objectType: secret', 'objectVersionHistory: 2'), { 'rotated/0': file('three'), 'rotated/1': file('two') }], // prettier-ignore
  'a history of more than there are, with alias and permission': [one('objectName: rotated', 'objectType: secret', 'objectVersionHistory: "5"', 'objectAlias: old/one', 'filePermission: 0440'), { 'old/one/0': file('three', 0o440), 'old/one/1': file('two', 0o440), 'old/one/2': file('one', 0o440) }], // prettier-ignore
  'a secret, its certificate and its key of one name': [{ objects: array(['objectName: web-tls', 'objectType: secret', 'objectAlias: tls/key-and-chain.pem'], ['objectName: web-tls', 'objectType: cert', 'objectAlias: tls/leaf.pem'], ['objectName: signing', 'objectType: key', 'objectAlias: tls/signing.pem']) }, { 'tls/key-and-chain.pem': file(chain.key + leaf + root), 'tls/leaf.pem': file(leaf), 'tls/signing.pem': file(spki) }], // prettier-ignore
  'objects as flow YAML': [{ objects: '{array: ["{objectName: db-password, objectType: secret}"]}' }, { 'db-password': file('pässword\n') }], // prettier-ignore
}

for (const [name, [parameters, files]] of Object.entries(good)) {
  void t.test(name, async (t) => {
    const classes = { kv: classOf(parameters) }
    const asText = 'web-tls: format pfx is written as base64 text; set objectEncoding: base64 for the binary file'
    t.strictSame(told(classes), { problems: [], warnings: name.endsWith('as pfx') ? [asText] : [] })
    const settings = settingsOf(classes)
    t.strictSame(await filesOf(settings), files)
    t.ok(settings.objects.every((object) => object.vault === 'https://my-kv.vault.azure.net'))
    t.strictSame(settings.identities, [{ cloud: 'AzurePublicCloud', tenantId: tenantOfClass, clientId: clientOfClass }])
  })
}

void t.test('a version is pinned', async (t) => {
  const { objects } = settingsOf({ kv: classOf(one(...password, 'objectVersion: 0123456789')) })
  t.match(objects, [{ name: 'db-password', version: '0123456789' }])
})

void t.test('fsGroup closes files that have no permission of their own', async (t) => {
  const classes = { kv: classOf({ objects: array(password, [...password, 'objectAlias: open', 'filePermission: 0444']) }) } // prettier-ignore
  const settings = settingsOf(classes, podWith('kv', {}, { securityContext: { fsGroup: 2000 } }))
  t.strictSame(await filesOf(settings), { 'db-password': file('pässword\n', 0o440), open: file('pässword\n') })
})

const here = 'SecretProviderClass "kv": '
const object = `${here}object 1 ("db-password"): `
const known = 'known are AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud'
const remedy = 'pods sign in by workload identity here: take the parameter out and set clientID'
/** Of each: the problems, in order. */
const bad: Record<string, [FoundClass, ...string[]]> = {
  'another provider': [classOf({}, { provider: 'vault' }), `${here}spec.provider is "vault", and only "azure" keeps its secrets in Azure Key Vault`], // prettier-ignore
  'no provider': [{ spec: { parameters: usual } }, `${here}spec.provider is not set, and only "azure" keeps its secrets in Azure Key Vault`], // prettier-ignore
  'no spec': [{ spec: undefined }, `${here}spec.provider is not set, and only "azure" keeps its secrets in Azure Key Vault`], // prettier-ignore
  'no parameters': [{ spec: { provider: 'azure' } }, `${here}keyvaultName is required`, `${here}objects is required`],
  'no vault': [classOf({ keyvaultName: undefined }), `${here}keyvaultName is required`],
  'a vault of blanks': [classOf({ keyvaultName: '  ' }), `${here}keyvaultName is required`],
  'a vault of a URL': [classOf({ keyvaultName: 'https://my-kv.vault.azure.net' }), `${here}keyvaultName "https://my-kv.vault.azure.net": expected the name of a vault, 3 to 24 letters, digits and dashes`], // prettier-ignore
  'a vault of two letters': [classOf({ keyvaultName: 'kv' }), `${here}keyvaultName "kv": expected the name of a vault, 3 to 24 letters, digits and dashes`], // prettier-ignore
  'a placeholder for a client id': [classOf({ clientID: '<client-id>' }), `${here}clientID "<client-id>": expected a GUID such as 00000000-0000-0000-0000-000000000000`], // prettier-ignore
  'a placeholder for a tenant': [classOf({ tenantID: '$TENANT' }), `${here}tenantID "$TENANT": expected the id or the domain of a tenant`], // prettier-ignore
  'a wrong tenant in the older spelling': [classOf({ tenantID: undefined, tenantId: '?' }), `${here}tenantId "?": expected the id or the domain of a tenant`], // prettier-ignore
  'AD FS in a public cloud': [classOf({ tenantID: 'adfs' }), `${here}the tenant "adfs" is that of Azure Stack Hub with AD FS, and https://login.microsoftonline.com has none: name the cloud that the administrator's configuration has for it`], // prettier-ignore
  'pod identity': [classOf({ usePodIdentity: 'true' }), `${here}usePodIdentity: AAD Pod Identity is not supported; ${remedy}`], // prettier-ignore
  "the node's identity": [classOf({ useVMManagedIdentity: 'true', userAssignedIdentityID: clientOfClass, clientID: undefined }), `${here}useVMManagedIdentity: the node's identity is not used, because every pod of the node has it; ${remedy}, or have the administrator set allowNodeIdentity`], // prettier-ignore
  'two ways to sign in': [classOf({ useVMManagedIdentity: 'true', useAzureTokenProxy: 'true' }), `${here}useVMManagedIdentity and useAzureTokenProxy exclude each other: the former asks as the node, the latter as the pod`], // prettier-ignore
  "a name for the node's identity": [classOf({ useVMManagedIdentity: 'true', userAssignedIdentityID: '/subscriptions/x' }), `${here}userAssignedIdentityID "/subscriptions/x": expected a GUID such as 00000000-0000-0000-0000-000000000000`, `${here}useVMManagedIdentity: the node's identity is not used, because every pod of the node has it; pods sign in by workload identity here: take the parameter out and set clientID, or have the administrator set allowNodeIdentity`], // prettier-ignore
  'a switch that is neither': [classOf({ usePodIdentity: 'yes' }), `${here}usePodIdentity "yes": expected "true" or "false"`], // prettier-ignore
  'a token proxy without a binding': [classOf({ useAzureTokenProxy: 'true' }), `${here}useAzureTokenProxy needs an identity binding: set the pod's annotation azure.workload.identity/use-identity-binding to "true", or take the parameter out`], // prettier-ignore
  'the German cloud': [classOf({ cloudName: 'AzureGermanCloud' }), `${here}cloudName "AzureGermanCloud": this cloud was closed in 2021; use the public one`], // prettier-ignore
  'a cloud of a file': [classOf({ cloudName: 'AzureStackCloud', cloudEnvFileName: '/etc/kubernetes/akscustom.json' }), `${here}cloudName "AzureStackCloud": no file of a node (cloudEnvFileName) is read; have the administrator describe the cloud in the injector's configuration, and name it here: ${known}`], // prettier-ignore
  'an unknown cloud': [classOf({ cloudName: 'AzurePublicClout' }), `${here}cloudName "AzurePublicClout": there is no such cloud (did you mean "AzurePublicCloud"?); ${known}`], // prettier-ignore
  'no objects': [classOf({ objects: undefined }), `${here}objects is required`],
  'objects of blanks': [classOf({ objects: ' \n ' }), `${here}objects is required`],
  'an empty array': [
    classOf({ objects: 'array: []' }),
    `${here}objects: the array is empty: list at least one object in it`,
  ],
  'an array without a list': [
    classOf({ objects: 'array:\n' }),
    `${here}objects: the array is empty: list at least one object in it`,
  ],
  'an array of more objects than a pod may have': [
    classOf({ objects: `array: [${'a,'.repeat(501)}]` }),
    `${here}objects: 501 are more than a pod may have, 500: split the class`,
  ],
  'a placeholder for a client id beside another problem': [
    classOf({ clientID: '<client-id>', cloudName: 'Moon' }),
    `${here}clientID "<client-id>": expected a GUID such as 00000000-0000-0000-0000-000000000000`,
    `${here}cloudName "Moon": there is no such cloud; known are AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud`,
  ],
  'objects without array': [classOf({ objects: '- |\n  objectName: a' }), `${here}objects: expected the text of a map with "array:", a list of objects that each are a text ("- |")`], // prettier-ignore
  'an array that is none': [classOf({ objects: 'array: x' }), `${here}objects: expected the text of a map with "array:", a list of objects that each are a text ("- |")`], // prettier-ignore
  'an array of maps': [classOf({ objects: 'array:\n  - objectName: a\n    objectType: secret' }), `${here}object 1: expected a text; begin the entry with "- |"`], // prettier-ignore
  'an empty entry': [classOf({ objects: 'array:\n  -\n' }), `${here}object 1: expected the text of an object's fields`],
  'an entry of one word': [classOf(one('db-password')), `${here}object 1: expected fields such as objectName and objectType`], // prettier-ignore
  'an entry that is not YAML': [classOf(one('objectName: [')), `${here}object 1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]`], // prettier-ignore
  'no name': [classOf(one('objectType: secret')), `${here}object 1: objectName is required`],
  'a name with a dot': [classOf(one('objectName: db.password', 'objectType: secret')), `${here}object 1 ("db.password"): objectName "db.password": expected 1 to 127 letters, digits and dashes`], // prettier-ignore
  'no type': [classOf(one('objectName: db-password')), `${object}objectType is required: secret, key or cert`],
  'a type of nothing': [classOf(one('objectName: db-password', 'objectType:')), `${object}objectType is required: secret, key or cert`], // prettier-ignore
  'a wrong type': [classOf(one('objectName: db-password', 'objectType: certificate')), `${object}objectType "certificate": expected one of secret, key, cert`], // prettier-ignore
  'a wrong format': [classOf(one(...password, 'objectFormat: pk12')), `${object}objectFormat "pk12": expected one of pem, pfx`], // prettier-ignore
  'pfx of a certificate': [classOf(one('objectName: db-password', 'objectType: cert', 'objectFormat: pfx')), `${object}objectFormat pfx is for objectType secret only, not cert`], // prettier-ignore
  'a wrong encoding': [classOf(one(...password, 'objectEncoding: base-64')), `${object}objectEncoding "base-64": expected one of utf-8, base64, hex (did you mean "base64"?)`], // prettier-ignore
  'encoding of a key': [classOf(one('objectName: db-password', 'objectType: key', 'objectEncoding: hex')), `${object}objectEncoding hex is for objectType secret only, not key`], // prettier-ignore
  'a permission that is not octal': [classOf(one(...password, 'filePermission: 0900')), `${object}filePermission "0900": expected three octal digits, with or without a leading 0, such as 0440`], // prettier-ignore
  'a permission of words': [classOf(one(...password, 'filePermission: rw-r-----')), `${object}filePermission "rw-r-----": expected three octal digits, with or without a leading 0, such as 0440`], // prettier-ignore
  'a history of words': [classOf(one(...password, 'objectVersionHistory: all')), `${object}objectVersionHistory "all": expected a whole number from 1 to 100`], // prettier-ignore
  'a negative history': [classOf(one(...password, 'objectVersionHistory: -1')), `${object}objectVersionHistory "-1": expected a whole number from 1 to 100`], // prettier-ignore
  'a version with a slash': [classOf(one(...password, 'objectVersion: a/b')), `${object}objectVersion "a/b": expected the id of a version, letters and digits only`], // prettier-ignore
  'an alias that leads out': [classOf(one(...password, 'objectAlias: a/../../b')), `${object}objectAlias "a/../../b": a path may not have a component ".."`], // prettier-ignore
  'an absolute alias': [classOf(one(...password, 'objectAlias: /etc/passwd')), `${object}objectAlias "/etc/passwd": a path is relative to the mount and may not begin with "/"`], // prettier-ignore
  "an alias of the volume's own": [classOf(one(...password, 'objectAlias: ..data')), `${object}objectAlias "..data": a path may not begin with ".."`], // prettier-ignore
  'a field that is a list': [classOf(one(...password, 'objectAlias: [a]')), `${object}objectAlias: expected a text`],
  'two objects at one path': [classOf({ objects: array(password, ['objectName: db-password', 'objectType: key']) }), 'key db-password of SecretProviderClass "kv" and secret db-password of SecretProviderClass "kv" are both written to "db-password"; give one of them another path'], // prettier-ignore
  'a file that is a folder': [classOf({ objects: array([...password, 'objectAlias: a'], ['objectName: b', 'objectType: key', 'objectAlias: a/b']) }), 'key b of SecretProviderClass "kv" is written to "a/b", but secret db-password of SecretProviderClass "kv" is a file at "a"; give one of them another path'], // prettier-ignore
  'several problems at once': [
    classOf({ keyvaultName: 'x', clientID: 'y', objects: array('objectName: a_b', password, 'objectType: key') }),
    `${here}clientID "y": expected a GUID such as 00000000-0000-0000-0000-000000000000`,
    `${here}keyvaultName "x": expected the name of a vault, 3 to 24 letters, digits and dashes`,
    `${here}object 1 ("a_b"): objectType is required: secret, key or cert`,
    `${here}object 1 ("a_b"): objectName "a_b": expected 1 to 127 letters, digits and dashes`,
    `${here}object 3: objectName is required`,
  ],
  'a class that is not there': ['absent', 'there is no SecretProviderClass "kv" in namespace "shop"'],
  'no such kind in the cluster': ['unknown-kind', 'the cluster has no SecretProviderClasses: the CustomResourceDefinition secretproviderclasses.secrets-store.csi.x-k8s.io (v1) is not installed; install it, or use the annotation azure.keyvault.injector/objects'], // prettier-ignore
}

for (const [name, [found, ...texts]] of Object.entries(bad)) {
  void t.test(`refused: ${name}`, async (t) => {
    const { problems } = told({ kv: found })
    t.strictSame(problems.map((problem) => problem.replace(/^[a-z-]+: /, '')), texts) // prettier-ignore
    t.ok(problems.every((problem) => /^(secret-provider-class|bad-annotation|no-identity): /.test(problem)))
  })
}

const warned: Record<string, [FoundClass, ...string[]]> = {
  'secretObjects': [classOf({}, { secretObjects: [{ secretName: 's', type: 'Opaque', data: [{ objectName: 'db-password', key: 'k' }] }] }), `${here}secretObjects is ignored: no Kubernetes Secret is made`], // prettier-ignore
  'an empty list of them': [classOf({}, { secretObjects: [] })],
  'an unknown field of the spec': [classOf({}, { extra: {} }), `${here}unknown field spec.extra is ignored`],
  'an unknown parameter': [classOf({ resourceGroup: 'rg' }), `${here}unknown parameter "resourceGroup" is ignored`],
  'a parameter in other case': [classOf({ keyVaultName: 'x' }), `${here}unknown parameter "keyVaultName" is ignored (did you mean "keyvaultName"?)`], // prettier-ignore
  'an unknown field of an object': [classOf(one(...password, 'objectAlais: x')), `${object}unknown field "objectAlais" is ignored (did you mean "objectAlias"?)`], // prettier-ignore
  'an unknown field beside the array': [classOf({ objects: `${usual.objects}\nmore: x` }), `${here}objects: unknown field "more" is ignored`], // prettier-ignore
  'an identity of the node that is not used': [classOf({ useVMManagedIdentity: 'false', userAssignedIdentityID: 'x' }), `${here}userAssignedIdentityID is ignored: pods sign in as clientID`], // prettier-ignore
  'a file that describes a cloud': [classOf({ cloudEnvFileName: '/x' }), `${here}cloudEnvFileName is ignored: the administrator's configuration describes clouds`], // prettier-ignore
  'what the documentation leaves empty': [classOf({ usePodIdentity: 'false', useVMManagedIdentity: 'False', userAssignedIdentityID: '', cloudName: '' })], // prettier-ignore
}

for (const [name, [found, ...warnings]] of Object.entries(warned)) {
  void t.test(`told: ${name}`, async (t) => {
    t.strictSame(told({ kv: found }), { problems: [], warnings })
    t.ok(warnings.every(({ length }) => length <= 120))
    t.strictSame(await filesOf(settingsOf({ kv: found })), { 'db-password': file('pässword\n') })
  })
}

void t.test('whole documents, as they stand in a repository of manifests', async (t) => {
  const document = parse(`
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  name: web
spec:
  provider: azure
  parameters:
    usePodIdentity: "false"
    clientID: ${clientOfClass}   # of the user-assigned identity
    keyvaultName: my-kv
    cloudName: ""                # the public one
    objects:  |
      array:
        - |
          objectName: db-password
          objectType: secret     # secret, key or cert
          objectVersion: ""      # the newest
        - |
          objectName: rotated
          objectType: secret
          objectVersionHistory: 3
          objectAlias: rotated
    tenantId: ${tenantOfClass}
`) as { spec: unknown }
  const settings = settingsOf({ web: document })
  t.strictSame(await filesOf(settings), {
    'db-password': file('pässword\n'),
    'rotated/0': file('three'),
    'rotated/1': file('two'),
    'rotated/2': file('one'),
  })
  t.strictSame(settings.identities, [{ cloud: 'AzurePublicCloud', tenantId: tenantOfClass, clientId: clientOfClass }])
})

void t.test('the documents of the migration guide', async (t) => {
  const blocks = Array.from(readFileSync('docs/migrating-from-csi.md', 'utf8').matchAll(/```yaml\n(.*?)```/gs), ([, yaml = '']) => yaml) // prettier-ignore
  const [before = '', after = '', shorter = ''] = blocks
  const [oldClass, oldApp] = before
    .split('---\n')
    .map((text) => parse(text) as { spec: { template: { spec: object } } })
  const { template } = (parse(after) as { spec: { template: { metadata: { annotations: object }; spec: object } } })
    .spec
  const containers = (spec: object) => (spec as { containers: { name: string; image: string }[] }).containers
  t.strictSame(
    containers(template.spec).map(({ name, image }) => [name, image]),
    containers(oldApp?.spec.template.spec ?? {}).map(({ name, image }) => [name, image]),
    'the app is the same',
  )
  const classes = { 'web-secrets': { spec: oldClass?.spec } }
  t.strictSame(told(classes, template), { problems: [], warnings: [] })
  const settings = settingsOf(classes, template)
  const files = { 'db-password': file('pässword\n'), 'tls/web.pem': file(chain.key + leaf + root) }
  t.strictSame(await filesOf(settings), files)
  t.equal(settings.mountPath, '/mnt/secrets-store')
  const annotations = parse(shorter) as Record<string, string>
  const alike = settingsOf({}, { ...template, metadata: { ...template.metadata, annotations } })
  t.strictSame(await filesOf(alike), files, 'and so say the annotations')
})

const summary = ({ objects, identities }: Settings): string[] =>
  objects.map(({ vault, name, identity }: ObjectSpec) => {
    const { cloud, tenantId, clientId } = identities[identity] ?? {}
    return [vault, name, cloud, tenantId, clientId].join(' ')
  })

void t.test('who asks: what the class says, then what holds for the pod', async (t) => {
  const pod = podWith('kv', { 'azure.keyvault.injector/tenant-id': 'contoso.onmicrosoft.com' })
  const url = 'https://my-kv.vault.azure.net db-password AzurePublicCloud'
  const cases: [string, Record<string, string | undefined>, object | undefined, string][] = [
    ['the class', {}, undefined, `${url} ${tenantOfClass} ${clientOfClass}`],
    ['the ServiceAccount', { clientID: undefined }, undefined, `${url} ${tenantOfClass} ${clientId}`],
    ['the administrator', { tenantID: undefined }, undefined, `${url} ${tenantId} ${clientOfClass}`],
    ['the pod', { tenantID: undefined, clientID: '' }, pod, `${url} contoso.onmicrosoft.com ${clientId}`],
    ['the older spelling', { tenantID: '', tenantId: 'a.example' }, undefined, `${url} a.example ${clientOfClass}`],
    ['the newer of both', { tenantID: 'b.example', tenantId: 'a.example' }, undefined, `${url} b.example ${clientOfClass}`], // prettier-ignore
    ['a government', { cloudName: 'AzureUSGovernmentCloud' }, undefined, `https://my-kv.vault.usgovcloudapi.net db-password AzureUSGovernmentCloud ${tenantOfClass} ${clientOfClass}`], // prettier-ignore
    ['in capitals, by its older name', { cloudName: 'AZUREUSGOVERNMENT' }, undefined, `https://my-kv.vault.usgovcloudapi.net db-password AzureUSGovernmentCloud ${tenantOfClass} ${clientOfClass}`], // prettier-ignore
    ['China', { cloudName: 'azurechinacloud' }, undefined, `https://my-kv.vault.azure.cn db-password AzureChinaCloud ${tenantOfClass} ${clientOfClass}`], // prettier-ignore
  ]
  for (const [name, parameters, pod, expected] of cases) {
    t.strictSame(summary(settingsOf({ kv: classOf(parameters) }, pod)), [expected], name)
  }
  const ours = configurationOf({ cloud: 'Ours', clouds: { Ours: { authorityHost: 'https://login.ours.example', vaultSuffix: 'kv.ours.example' } } }) // prettier-ignore
  for (const cloudName of [undefined, 'ours']) {
    const settings = settingsOf({ kv: classOf({ cloudName }) }, undefined, { configuration: ours })
    t.strictSame(summary(settings), [`https://my-kv.kv.ours.example db-password Ours ${tenantOfClass} ${clientOfClass}`]) // prettier-ignore
    t.strictSame(Object.keys(settings.clouds), ['Ours'])
  }
})

void t.test('a class that names its identity needs none on the ServiceAccount', async (t) => {
  const serviceAccount = { annotations: {} }
  const configuration = configurationOf({ tenantId: undefined })
  t.strictSame(told({ kv: classOf() }, undefined, { serviceAccount, configuration }).problems, [])
  const { problems } = told({ kv: classOf({ clientID: undefined, tenantID: undefined }) }, undefined, { serviceAccount, configuration }) // prettier-ignore
  t.strictSame(problems, [
    'no-identity: SecretProviderClass "kv": no clientID, and ServiceAccount "default" in namespace "shop" has no annotation azure.workload.identity/client-id, and the pod has no annotation azure.keyvault.injector/client-id: a class written for another way to sign in, such as a service principal, needs the clientID of a workload identity', // prettier-ignore
    'no-identity: SecretProviderClass "kv": no tenantID, and the administrator\'s configuration has no tenantId, ServiceAccount "default" in namespace "shop" no annotation azure.workload.identity/tenant-id, and the pod no annotation azure.keyvault.injector/tenant-id', // prettier-ignore
  ])
})

void t.test('an identity binding stands in for what the class leaves out', async (t) => {
  const binding = { 'azure.workload.identity/use-identity-binding': 'true' }
  const pod = podWith('kv', binding)
  const identities = (parameters: Record<string, string | undefined>, asking: object = pod) =>
    settingsOf({ kv: classOf(parameters) }, asking).identities
  const bound = { cloud: 'AzurePublicCloud', mode: 'identity-binding' }
  const nobody = { clientID: undefined, tenantID: undefined }
  t.strictSame(identities({ useAzureTokenProxy: 'true', ...nobody }), [bound])
  const named = { tenantId: tenantOfClass, clientId: clientOfClass }
  t.strictSame(identities({ useAzureTokenProxy: 'true' }), [{ ...bound, ...named }])
  t.strictSame(identities({}), [{ ...bound, ...named }], 'the pod has one way to sign in')
  const own = { 'client-id': clientId, 'tenant-id': tenantId }
  t.strictSame(identities(nobody, podWith('kv', { ...binding, ...own })), [{ ...bound, clientId, tenantId }])
})

void t.test("the node's identity, where the administrator allows it", async (t) => {
  const configuration = configurationOf({ allowNodeIdentity: true })
  const node = { useVMManagedIdentity: 'true', clientID: undefined }
  const cloud = 'AzurePublicCloud'
  const cases: [string, Record<string, string | undefined>, object, ...string[]][] = [
    ["the node's own", node, { cloud, tenantId: tenantOfClass, mode: 'node' }, "asks as the node's own identity, which every pod there has"], // prettier-ignore
    ['a user-assigned one', { ...node, userAssignedIdentityID: clientOfClass }, { cloud, tenantId: tenantOfClass, clientId: clientOfClass, mode: 'node' }, `asks as the node's identity ${clientOfClass}, which every pod there has`], // prettier-ignore
    ['no tenant', { ...node, tenantID: undefined }, { cloud, mode: 'node' }, "asks as the node's own identity, which every pod there has"], // prettier-ignore
    ['a client id too', { useVMManagedIdentity: 'true' }, { cloud, tenantId: tenantOfClass, mode: 'node' }, "asks as the node's own identity, which every pod there has", 'clientID is ignored with useVMManagedIdentity: userAssignedIdentityID names the identity'], // prettier-ignore
  ]
  for (const [name, parameters, identity, ...warnings] of cases) {
    const classes = { kv: classOf(parameters) }
    // Nobody else needs an identity then.
    const around = { configuration, serviceAccount: { annotations: {} } }
    t.strictSame(
      told(classes, undefined, around),
      { problems: [], warnings: warnings.map((text) => here + text) },
      name,
    )
    t.ok(warnings.every((text) => (here + text).length <= 120))
    t.strictSame(settingsOf(classes, undefined, around).identities, [identity], name)
  }
  const both = settingsOf({ kv: classOf({ ...node, userAssignedIdentityID: clientOfClass }), pod: classOf(one(...password, 'objectAlias: b')) }, undefined, { configuration }) // prettier-ignore
  t.equal(both.identities.length, 2, "the same client id is another's as the pod")
})

void t.test("AD FS in the administrator's cloud", async (t) => {
  const hub = { authorityHost: 'https://adfs.local.azurestack.external', vaultSuffix: 'vault.local.azurestack.external', verifyChallengeResource: false, apiVersion: '2016-10-01' } // prettier-ignore
  const configuration = configurationOf({ clouds: { AzureStackHub: hub } })
  const settings = settingsOf({ kv: classOf({ tenantID: 'adfs', cloudName: 'azurestackhub' }) }, undefined, { configuration }) // prettier-ignore
  t.strictSame(settings.identities, [{ cloud: 'AzureStackHub', tenantId: 'adfs', clientId: clientOfClass }])
  t.strictSame(settings.clouds, { AzureStackHub: hub })
  t.equal(settings.objects[0]?.vault, 'https://my-kv.vault.local.azurestack.external')

  const pod = (annotations: Record<string, string>) => annotated({ vault: 'my-kv', objects: 'db-password', 'tenant-id': 'adfs', ...annotations }) // prettier-ignore
  t.match(settingsOf({}, pod({ cloud: 'AzureStackHub' }), { configuration }).identities, [{ tenantId: 'adfs' }])
  t.match(told({}, pod({}), { configuration }).problems, [/^no-identity: the tenant "adfs" is that of Azure Stack Hub/])
})

void t.test('classes and objects add up, each with its own vault and identity', async (t) => {
  const classes = {
    a: classOf({ objects: array([...password, 'objectAlias: a']) }),
    'b.example': classOf({ keyvaultName: 'other-kv', clientID: undefined, objects: array([...password, 'objectAlias: b']) }), // prettier-ignore
  }
  const pod = podWith(' a,\nb.example ', { vault: 'my-kv', objects: 'db-password, key/signing' })
  const settings = settingsOf(classes, pod)
  t.strictSame(summary(settings), [
    `https://my-kv.vault.azure.net db-password AzurePublicCloud ${tenantId} ${clientId}`,
    `https://my-kv.vault.azure.net signing AzurePublicCloud ${tenantId} ${clientId}`,
    `https://my-kv.vault.azure.net db-password AzurePublicCloud ${tenantOfClass} ${clientOfClass}`,
    `https://other-kv.vault.azure.net db-password AzurePublicCloud ${tenantOfClass} ${clientId}`,
  ])
  t.equal(settings.identities.length, 3)
  t.strictSame(Object.keys(await filesOf(settings)), ['db-password', 'signing', 'a', 'b'])
  const clash = told(classes, podWith('a', { vault: 'my-kv', objects: 'db-password=a' })).problems
  t.strictSame(clash, ['bad-annotation: secret db-password of SecretProviderClass "a" and secret db-password are both written to "a"; give one of them another path']) // prettier-ignore
})

void t.test("the administrator's rules hold for classes too", async (t) => {
  const configuration = configurationOf({ vaults: [{ namespaces: ['shop'], vaults: ['other-*'] }] })
  const { problems } = told({ kv: classOf() }, undefined, { configuration })
  t.strictSame(problems, ['vault-not-allowed: SecretProviderClass "kv": vault "my-kv": the administrator\'s rules do not allow it in namespace "shop"']) // prettier-ignore
  const forbidden = configurationOf({ annotations: { forbidden: ['secret-provider-class'] } })
  t.match(told({ kv: classOf() }, undefined, { configuration: forbidden }).problems, ['not-allowed: annotation azure.keyvault.injector/secret-provider-class: the administrator does not allow it on pods']) // prettier-ignore
})

void t.test('what is wrong with a class hides nothing else', async (t) => {
  const configuration = configurationOf({ tenantId: undefined, vaults: [{ namespaces: ['shop'], vaults: ['other-*'] }] }) // prettier-ignore
  const around = { configuration, serviceAccount: { annotations: {} } }
  const texts = { 'azure.keyvault.injector/template-a': '{{ secrets["db-password"] }}{{ secrets.x }}', 'azure.keyvault.injector/template-db-password': 'x' } // prettier-ignore
  const clash = /^bad-annotation: template "db-password" and secret db-password of SecretProviderClass "kv" are both/
  const unknown = /^bad-annotation: template "a", line 1: there is no secrets\["x"\]/
  const denied = /^vault-not-allowed: SecretProviderClass "kv": vault "my-kv": the administrator's rules/
  const nobody = [/^no-identity: SecretProviderClass "kv": no clientID/, /^no-identity: .* no tenantID/]
  const unsaid = { clientID: undefined, tenantID: undefined }
  const cases: [string, Record<string, string | undefined>, Record<string, string>, RegExp[]][] = [
    ['its cloud', { cloudName: 'Moon', ...unsaid }, {}, [clash, unknown, denied, /: cloudName "Moon": /, ...nobody]],
    ["the pod's cloud", unsaid, { 'azure.keyvault.injector/cloud': 'Moon' }, [/cloud: there is no cloud "Moon"/, clash, unknown, denied, ...nobody]], // prettier-ignore
    ['AD FS in a cloud that is unknown', { cloudName: 'Moon', tenantID: 'adfs' }, {}, [clash, unknown, denied, /: cloudName "Moon": /]], // prettier-ignore
    ["a cloud of its own, and the pod's", { cloudName: 'AzureChinaCloud', tenantID: 'adfs' }, { 'azure.keyvault.injector/cloud': 'Moon' }, [/cloud: there is no cloud "Moon"/, clash, unknown, denied, /"adfs" .*https:\/\/login.chinacloudapi.cn has none/]], // prettier-ignore
    ['an object', { objects: array(password, 'objectName: b'), ...unsaid }, {}, [denied, /objectType is required/, ...nobody]], // prettier-ignore
    ['a parameter that the identity rests on', { clientID: 'x', tenantID: undefined }, {}, [clash, unknown, denied, /: clientID "x": /, /^no-identity: .* no tenantID/]], // prettier-ignore
    ["the node's identity", { useVMManagedIdentity: 'true', clientID: undefined }, {}, [clash, unknown, denied, /: useVMManagedIdentity: /]], // prettier-ignore
  ]
  for (const [name, parameters, annotations, expected] of cases) {
    const { problems } = told({ kv: classOf(parameters) }, podWith('kv', { ...texts, ...annotations }), around)
    t.match(problems, expected, name)
    t.equal(problems.length, expected.length, `${name}: and nothing else`)
  }
})

void t.test('names of classes', async (t) => {
  t.strictSame(told({}, podWith('Web, a b')).problems, [
    'bad-annotation: annotation azure.keyvault.injector/secret-provider-class "Web, a b": "Web" is not a name of SecretProviderClasses',
    'bad-annotation: annotation azure.keyvault.injector/secret-provider-class "Web, a b": "a b" is not a name of SecretProviderClasses',
  ])
})
