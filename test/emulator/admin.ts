/**
 * The emulator's switches over plain HTTP, for those outside its process. JSON in, JSON out; never for the open network.
 *
 *     PUT    /admin/vaults/{vault}                        makes it; {authorization?: "rbac" | "access-policy", tenant?}
 *     PUT    /admin/vaults/{vault}/secrets/{name}         {value, contentType?, attributes?, tags?, managed?}; managed: as if it were a
 *                                                         certificate's, whatever the value is
 *     PUT    /admin/vaults/{vault}/keys/{name}            {jwk} or {kty, size?, curve?}, attributes?
 *     PUT    /admin/vaults/{vault}/certificates/{name}    {value, password?, contentType?, exportable?} (PEM or PKCS#12 in base64),
 *                                                         {pending: true}, or {names: [...]} for one made here
 *     PATCH  /admin/vaults/{vault}/{collection}/{name}    attributes: {enabled?, exp?, nbf?, updated?, created?}, and tags
 *     DELETE /admin/vaults/{vault}/{collection}/{name}
 *     GET | POST | DELETE /admin/faults                   {match?, fault: {kind, ...}, times?, above?} -> {id}; DELETE /admin/faults/{id} for one
 *     GET | DELETE        /admin/counts[?vault=]          by operation; DELETE resets counts and requests
 *     GET                 /admin/requests[?operation=&vault=&object=&client=]
 *     GET | DELETE        /admin/tokens                   assertions seen (claims, not tokens); DELETE revokes issued tokens
 *     POST | DELETE       /admin/grants                   {client, grants: [{vault?, object?, verbs?}] | null}
 *     POST                /admin/credentials              {clientId, issuer, subject, tenant?, audience?}
 *     GET                 /admin                          {authorityHost, tenant, ca, vaults' URL pattern}
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Grant } from './access.ts'
import type { Emulator } from './emulator.ts'
import { VaultError, type Answer } from './errors.ts'
import { isFault, type FaultRule } from './faults.ts'
import type { Attributes } from './store.ts'
import type { FederatedCredential } from './trust.ts'
import {
  collections,
  type CertificateImport,
  type Collection,
  type KeyContent,
  type KeyRequest,
  type Vault,
} from './vault.ts'

export function adminHandler(emulator: Emulator) {
  return (request: IncomingMessage, response: ServerResponse) => {
    void answerAdmin(emulator, request).then(({ status, body }) => {
      response
        .writeHead(status, { 'Content-Type': 'application/json' })
        .end(body === undefined ? '' : JSON.stringify(body))
    })
  }
}

const done: Answer = { status: 204 }
const ok = (body: unknown): Answer => ({ status: 200, body })

async function answerAdmin(emulator: Emulator, request: IncomingMessage): Promise<Answer> {
  try {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const path = url.pathname.split('/').filter(Boolean).map(decodeURIComponent)
    const content = await text(request)
    const body: unknown = content ? JSON.parse(content) : {}
    const [root, what = '', ...rest] = path
    const answer =
      root === 'admin' ? await route(emulator, `${request.method} ${what}`, rest, body, url.searchParams) : undefined
    return (
      answer ?? { status: 404, body: { error: `Nothing answers ${request.method} ${url.pathname}; see admin.ts.` } }
    )
  } catch (error) {
    if (error instanceof VaultError) return error.answer
    return { status: 400, body: { error: String(error) } }
  }
}

async function route(emulator: Emulator, what: string, rest: string[], body: unknown, query: URLSearchParams) {
  const { faults, journal, access, tokens, seen } = emulator
  switch (what) {
    case 'GET ': {
      const { authorityHost, tenant, ca } = emulator
      return ok({ authorityHost, tenant, ca, vault: emulator.url('{vault}') })
    }
    case 'PUT vaults':
    case 'PATCH vaults':
    case 'DELETE vaults':
      return vaults(emulator, what.split(' ')[0]!, rest, body)
    case 'GET faults':
      return ok(faults.list())
    case 'POST faults':
      return ok({ id: faults.add(checkRule(body)).id })
    case 'DELETE faults':
      faults.clear(rest[0] === undefined ? undefined : Number(rest[0]))
      return done
    case 'GET counts':
      return ok(journal.counts(query.get('vault') ?? undefined))
    case 'DELETE counts':
      journal.reset()
      return done
    case 'GET requests':
      return ok(journal.entries(Object.fromEntries(query)))
    case 'GET tokens':
      return ok(seen)
    case 'DELETE tokens':
      tokens.revoke()
      return done
    case 'POST grants': {
      const { client, grants } = body as { client: string; grants: Grant[] | null }
      access.set(client, grants)
      return done
    }
    case 'DELETE grants':
      access.clear()
      return done
    case 'POST credentials':
      emulator.federate(body as FederatedCredential)
      return done
    default:
      return undefined
  }
}

function checkRule(body: unknown): FaultRule {
  const rule = body as Partial<FaultRule>
  if (!isFault(rule.fault)) throw new Error('A fault is {match?, fault: {kind, ...}, times?}; see faults.ts.')
  return rule as FaultRule
}

function checkAttributes(body: unknown): Partial<Attributes> {
  const known = ['enabled', 'created', 'updated', 'exp', 'nbf']
  const unknown = Object.keys(body as object).filter((key) => !known.includes(key))
  if (unknown.length) throw new Error(`Attributes are ${known.join(', ')}, not ${unknown.join(', ')}.`)
  return body as Partial<Attributes>
}

interface VaultBody extends Partial<CertificateImport>, Partial<KeyRequest> {
  authorization?: Vault['authorization']
  tenant?: string
  jwk?: KeyContent['jwk']
  pending?: boolean
  names?: string[]
}

async function vaults(emulator: Emulator, method: string, [vaultName, kind, name]: string[], given: unknown) {
  if (vaultName === undefined) return undefined
  const vault = emulator.vault(vaultName)
  const body = given as VaultBody
  if (kind === undefined && method === 'PUT') {
    if (body.authorization) vault.authorization = body.authorization
    if (body.tenant) vault.tenant = body.tenant
    return done
  }
  const collection = collections.find((one) => one === kind)
  if (!collection || name === undefined) return undefined
  if (method === 'PUT') return ok({ version: await put(emulator, vault, collection, name, body) })
  const { tags, ...attributes } = given as { tags?: Record<string, string> }
  const found =
    method === 'DELETE'
      ? vault.delete(collection, name)
      : vault.update(collection, name, checkAttributes(attributes), undefined, tags)
  return found ? done : { status: 404, body: { error: `There is no ${collection}/${name} in ${vaultName}.` } }
}

/** Writes a new version, and returns its id. */
async function put({ authority }: Emulator, vault: Vault, collection: Collection, name: string, body: VaultBody) {
  const { value, jwk, pending, names } = body
  if (collection === 'secrets') {
    if (value === undefined) throw new Error('A secret is {value, contentType?, attributes?, tags?}.')
    return vault.setSecret(name, value, body).id
  }
  if (collection === 'keys')
    return (jwk ? vault.importKey(name, jwk, body) : await vault.createKey(name, { kty: 'RSA', ...body })).id
  if (pending) return vault.setPendingCertificate(name).id
  if (value !== undefined) return vault.importCertificate(name, { ...body, value }).id
  const made = names && authority?.issue({ names })
  if (!made) throw new Error('A certificate is {value, ...}, {pending: true} or {names: [...]}.')
  return vault.importCertificate(name, { ...body, value: made.key + made.cert }).id
}
