import type { JsonWebKey } from 'node:crypto'
import type { Call, VaultRoute } from './call.ts'
import { VaultError, type Answer } from './errors.ts'
import type { Attributes, Moment } from './store.ts'
import { badParameter, type Vault } from './vault.ts'
import { bundle, item } from './view.ts'

const pageSize = 25
const notFound = { secrets: 'SecretNotFound', keys: 'KeyNotFound', certificates: 'CertificateNotFound' }

/** Answers a request that has passed the checks of token and permission. Throws `VaultError` for Key Vault's refusals. */
export async function answerVault(call: Call, route: VaultRoute, vault: Vault, lag?: Moment): Promise<Answer> {
  if (!call.query.get('api-version')) throw badParameter('api-version must be specified')
  const base = `https://${call.host}`
  const { collection, verb, object = '', version } = route
  const missing = () =>
    new VaultError(
      404,
      notFound[collection],
      `${collection}/${object}${version ? `/${version}` : ''} was not found in this key vault.`,
    )
  const show = (id?: string): Answer => {
    const body = bundle(vault, collection, base, object, id)
    if (!body) throw missing()
    return { status: 200, body }
  }

  switch (verb) {
    case 'list': {
      const all = vault[collection].list(lag).map((one) => ({ key: one.name.toLowerCase(), ...one }))
      return page(call, all, (one) => item(collection, `${base}/${collection}/${one.name}`, one.version))
    }
    case 'versions': {
      // As the service, which lists no versions of what does not exist rather than to answer 404.
      const { name, versions } = vault[collection].object(object) ?? { name: object, versions: [] }
      // The service promises no order, so the emulator sorts by what is random.
      const all = versions.map((one) => ({ key: one.id, one })).sort((a, b) => (a.key < b.key ? -1 : 1))
      return page(call, all, ({ one }) => item(collection, `${base}/${collection}/${name}/${one.id}`, one))
    }
    case 'get': {
      const answer = show(version)
      if (collection === 'secrets' && !vault.secrets.version(object, version)?.version.attributes.enabled)
        throw new VaultError(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.', 'SecretDisabled')
      return answer
    }
    case 'set':
    case 'import':
    case 'create':
      if (vault[collection].deleted(object))
        throw new VaultError(409, 'Conflict', `${collection}/${object} is deleted.`, 'ObjectIsDeletedButRecoverable')
      return show(await write(route, vault, object, readBody(call)))
    case 'update': {
      const body = readBody(call)
      if (!vault.update(collection, object, body.attributes ?? {}, version, body.tags)) throw missing()
      return show(version)
    }
    case 'delete':
      if (!vault.delete(collection, object)) throw missing()
      return deleted(vault, route, base, missing)
    case 'deleted':
      return deleted(vault, route, base, missing)
    case 'recover':
      if (!vault.recover(collection, object)) throw missing()
      return show()
    case 'purge':
      if (!vault.purge(collection, object)) throw missing()
      return { status: 204 }
  }
}

/** The parts of the request bodies that the emulator reads. */
interface Body {
  value?: string
  contentType?: string
  attributes?: Partial<Attributes>
  tags?: Record<string, string>
  key?: JsonWebKey & { key_ops?: string[] }
  Hsm?: boolean
  kty?: string
  key_size?: number
  crv?: string
  key_ops?: string[]
  pwd?: string
  policy?: { secret_props?: { contentType?: string }; key_props?: { exportable?: boolean } }
}

function readBody(call: Call): Body {
  try {
    return JSON.parse(call.body) as Body
  } catch {
    throw badParameter('The request body is not JSON.')
  }
}

/** Writes a new version of an object, and returns its id. */
async function write({ collection, verb }: VaultRoute, vault: Vault, name: string, body: Body): Promise<string> {
  const { value, contentType, attributes = {}, tags } = body
  const options = { attributes, tags }
  if (verb === 'create') {
    const { kty = 'RSA', key_size: size, crv: curve, key_ops: operations } = body
    return (await vault.createKey(name, { kty, size, curve, operations, ...options })).id
  }
  if (collection === 'keys') {
    if (!body.key) throw badParameter('The key is missing.')
    const kty = body.Hsm && !body.key.kty?.endsWith('-HSM') ? `${body.key.kty}-HSM` : body.key.kty
    return vault.importKey(name, { ...body.key, ...(kty && { kty }) }, options).id
  }
  if (value === undefined) throw badParameter('The value is missing.')
  if (collection === 'secrets') return vault.setSecret(name, value, { contentType, ...options }).id
  return vault.importCertificate(name, {
    value,
    password: body.pwd,
    contentType: body.policy?.secret_props?.contentType,
    exportable: body.policy?.key_props?.exportable,
    ...options,
  }).id
}

/** A deleted object as DELETE and the deleted objects' URL show it; the service never shows its value. */
function deleted(vault: Vault, { collection, object = '' }: VaultRoute, base: string, missing: () => Error): Answer {
  const found = vault[collection].deleted(object)
  const latest = found?.versions.at(-1)
  if (!found || !latest) throw missing()
  return {
    status: 200,
    body: {
      ...item(collection, `${base}/${collection}/${found.name}/${latest.id}`, latest),
      ...(collection === 'keys' && { key: { kid: `${base}/keys/${found.name}/${latest.id}` } }),
      recoveryId: `${base}/deleted${collection}/${found.name}`,
      deletedDate: found.deletedAt,
      scheduledPurgeDate: found.deletedAt + 90 * 24 * 3600,
    },
  }
}

/** One page of a list, with a link to the next that goes on after the last key, whatever is added or removed meanwhile. */
function page<T extends { key: string }>(call: Call, all: T[], show: (one: T) => unknown): Answer {
  const asked = call.query.get('maxresults')
  const size = asked === null ? pageSize : Number(asked)
  if (!Number.isInteger(size) || size < 1 || size > pageSize) throw badParameter(`maxresults must be 1 to ${pageSize}.`)
  const after = Buffer.from(call.query.get('$skiptoken') ?? '', 'base64url').toString()
  const rest = after ? all.filter((one) => one.key > after) : all
  const shown = rest.slice(0, size)
  const last = shown.at(-1)
  if (!last || rest.length <= size) return { status: 200, body: { value: shown.map(show), nextLink: null } }
  const query = new URLSearchParams(call.query)
  query.set('$skiptoken', Buffer.from(last.key).toString('base64url'))
  return {
    status: 200,
    body: { value: shown.map(show), nextLink: `https://${call.host}${call.path}?${query.toString()}` },
  }
}
