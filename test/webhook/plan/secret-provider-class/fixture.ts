/** SecretProviderClasses, pods that use them, and what is decided about these pods. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import t from 'tap'
import type { ObjectSpec } from '../../../../shared/objects/spec.ts'
import { checkSettings, type Settings } from '../../../../shared/settings/codec.ts'
import { composeObjects } from '../../../../sidecar/poll/compose.ts'
import { renderObject } from '../../../../shared/render/render-object.ts'
import type { Fetched } from '../../../../shared/vault/store.ts'
import { decide } from '../../../support/decide.ts'
import type { PlanInputs } from '../../../../webhook/plan/inputs.ts'
import type { FoundClass } from '../../../../webhook/plan/secret-provider-class/found-class.ts'
import { fetched, pemSecret, pkcs12Secret, secret } from '../../../shared/render/objects.ts'
import { Pki } from '../../../support/pki.ts'
import { annotated } from '../../review-app.ts'
import { planInputs } from '../../default-configuration.ts'

const pki = new Pki(t)
export const chain = pki.chain('RSA 2048', 2)
export const [leaf = '', root = ''] = chain.certificates
export const container = pki.pkcs12(chain)
export const pem = root + chain.key + leaf
export const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey

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

/** Every file that a pod with these settings gets, as `bytes (permission bits)`. */
export async function filesOf(settings: Settings): Promise<Record<string, string>> {
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

export const file = (content: string | Uint8Array, mode = 0o444): string =>
  `${Buffer.from(content).toString('latin1')} (${mode.toString(8).padStart(4, '0')})`

export const clientOfClass = '33333333-3333-3333-3333-333333333333'
export const tenantOfClass = '44444444-4444-4444-4444-444444444444'

/** The parameter `objects`: each object the text of its fields, as the documentation has them. */
export const array = (...objects: (string | string[])[]): string =>
  ['array:', ...objects.flatMap((lines) => ['  - |', ...[lines].flat().map((line) => `    ${line}`)])].join('\n')
export const one = (...lines: string[]): { objects: string } => ({ objects: array(lines) })
export const password = ['objectName: db-password', 'objectType: secret']

export const usual = { keyvaultName: 'my-kv', tenantID: tenantOfClass, clientID: clientOfClass, ...one(...password) }

/** A class of the usual parameters with some replaced (undefined: left out). */
export function classOf(parameters: Record<string, string | undefined> = {}, spec: object = {}): FoundClass {
  const all = Object.entries({ ...usual, ...parameters }).filter(([, value]) => value !== undefined)
  return { spec: { provider: 'azure', parameters: Object.fromEntries(all), ...spec } }
}

/** A pod that has nothing but the annotation `secret-provider-class`, as who moves over from the driver writes it. */
export const podWith = (value: string, annotations: Record<string, string> = {}, spec: object = {}) => {
  const { metadata, spec: podSpec } = annotated({}, spec)
  const prefixed = Object.entries({ 'secret-provider-class': value, ...annotations }).map(([name, text]) => [
    name.includes('/') ? name : `azure.keyvault.injector/${name}`,
    text,
  ])
  return {
    metadata: { ...metadata, annotations: Object.fromEntries(prefixed) as Record<string, string> },
    spec: podSpec,
  }
}

function decisionOn(classes: Record<string, FoundClass>, pod?: object, changes: Partial<PlanInputs> = {}) {
  const names = Object.keys(classes)
  const around = planInputs({ secretProviderClasses: new Map(Object.entries(classes)), ...changes })
  return decide(pod ?? podWith(names.join(',')), around)
}

export function settingsOf(
  classes: Record<string, FoundClass>,
  pod?: object,
  changes: Partial<PlanInputs> = {},
): Settings {
  const decision = decisionOn(classes, pod, changes)
  if (decision.kind !== 'inject') throw new Error(JSON.stringify(decision))
  const checked = checkSettings(JSON.parse(JSON.stringify(decision.settings)))
  if (!checked.ok) throw new Error(checked.problems.join('\n'))
  return decision.settings
}

export function told(classes: Record<string, FoundClass>, pod?: object, changes: Partial<PlanInputs> = {}) {
  const decision = decisionOn(classes, pod, changes)
  const problems = decision.kind === 'deny' ? decision.problems.map(({ reason, text }) => `${reason}: ${text}`) : []
  return { problems, warnings: decision.warnings.map(({ text }) => text) }
}

export const here = 'SecretProviderClass "kv": '
export const object = `${here}object 1 ("db-password"): `

export const summary = ({ objects, identities }: Settings): string[] =>
  objects.map(({ vault, name, identity }: ObjectSpec) => {
    const { cloud, tenantId, clientId } = identities[identity] ?? {}
    return [vault, name, cloud, tenantId, clientId].join(' ')
  })
