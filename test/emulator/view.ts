import {
  thumbprint,
  type CertificateContent,
  type Collection,
  type KeyContent,
  type SecretContent,
  type Vault,
} from './vault.ts'
import type { StoredObject, Version } from './store.ts'

/** Objects as the REST API shows them. `base` is the vault's URL without a slash at the end. */
type Json = Record<string, unknown>

/** What GET answers for a version of an object. */
export function bundle(
  vault: Vault,
  collection: Collection,
  base: string,
  name: string,
  id?: string,
): Json | undefined {
  const at = (one: { object: StoredObject<unknown>; version: Version<unknown> }) =>
    `${base}/${collection}/${one.object.name}/${one.version.id}`
  switch (collection) {
    case 'secrets': {
      const found = vault.secrets.version(name, id)
      return found && secretBundle(found.version, at(found), base, found.object.name)
    }
    case 'keys': {
      const found = vault.keys.version(name, id)
      return found && keyBundle(found.version, at(found))
    }
    case 'certificates': {
      const found = vault.certificates.version(name, id)
      return found && certificateBundle(found.version, at(found), base, found.object.name)
    }
  }
}

/** What LIST and the list of versions show: never a value, and a version only where the caller puts it into `id`. */
export function item(collection: Collection, id: string, version: Version<unknown>): Json {
  const { content } = version
  if (collection === 'keys') return { kid: id, ...common(version) }
  if (collection === 'secrets')
    return { id, ...optional({ contentType: (content as SecretContent).contentType }), ...common(version) }
  const { leaf } = content as CertificateContent
  return { id, ...(leaf && { x5t: thumbprint(leaf) }), subject: '', ...common(version) }
}

function secretBundle(version: Version<SecretContent>, id: string, base: string, name: string): Json {
  const { value, contentType } = version.content
  const kid = version.managed ? `${base}/keys/${name}/${version.id}` : undefined
  return { value, id, ...optional({ contentType, kid }), ...common(version) }
}

function keyBundle(version: Version<KeyContent>, kid: string): Json {
  const { jwk } = version.content
  const operations = jwk.kty?.startsWith('RSA')
    ? ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey']
    : ['sign', 'verify']
  return { key: { kid, key_ops: operations, ...jwk }, ...common(version) }
}

function certificateBundle(version: Version<CertificateContent>, id: string, base: string, name: string): Json {
  const { leaf, contentType, exportable } = version.content
  const policy = {
    id: `${base}/certificates/${name}/policy`,
    key_props: { exportable, reuse_key: false },
    secret_props: { contentType },
    issuer: { name: 'Unknown' },
  }
  if (!leaf) return { id, ...common(version), policy, pending: { id: `${base}/certificates/${name}/pending` } }
  return {
    id,
    kid: `${base}/keys/${name}/${version.id}`,
    sid: `${base}/secrets/${name}/${version.id}`,
    x5t: thumbprint(leaf),
    cer: leaf.raw.toString('base64'),
    ...common(version),
    policy,
  }
}

function common({ attributes, tags, managed }: Version<unknown>): Json {
  return {
    attributes: { ...attributes, recoveryLevel: 'Recoverable+Purgeable', recoverableDays: 90 },
    tags: tags ?? {},
    ...(managed && { managed }),
  }
}

const optional = (values: Json) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
