import type { IncomingHttpHeaders } from 'node:http'
import { collections, type Collection } from './vault.ts'

/** A request as it came in, before anybody looked at what it asks for. */
export interface Call {
  method: string
  /** From the Host header: lower case, with the port if it had one. */
  host: string
  path: string
  query: URLSearchParams
  headers: IncomingHttpHeaders
  body: string
}

export type VaultVerb =
  'get' | 'list' | 'versions' | 'set' | 'import' | 'create' | 'update' | 'delete' | 'deleted' | 'recover' | 'purge'

/** What a request to a vault asks for. */
export interface VaultRoute {
  collection: Collection
  verb: VaultVerb
  object?: string
  version?: string
}

/** Method and path shape to verb; `c` stands for a collection, `n` for a name, `v` for a version. */
const routes: [method: string, shape: RegExp, verb: VaultVerb][] = [
  ['GET', /^(?<c>\w+)$/, 'list'],
  ['GET', /^(?<c>\w+)\/(?<n>[^/]+)\/versions$/, 'versions'],
  ['GET', /^(?<c>\w+)\/(?<n>[^/]+)(\/(?<v>[^/]+))?$/, 'get'],
  ['PUT', /^(?<c>secrets)\/(?<n>[^/]+)$/, 'set'],
  ['PUT', /^(?<c>keys)\/(?<n>[^/]+)$/, 'import'],
  ['POST', /^(?<c>keys)\/(?<n>[^/]+)\/create$/, 'create'],
  ['POST', /^(?<c>certificates)\/(?<n>[^/]+)\/import$/, 'import'],
  ['PATCH', /^(?<c>\w+)\/(?<n>[^/]+)(\/(?<v>[^/]+))?$/, 'update'],
  ['DELETE', /^(?<c>\w+)\/(?<n>[^/]+)$/, 'delete'],
]

/** The same for soft-deleted objects, after `/deleted`. */
const deletedRoutes: typeof routes = [
  ['GET', /^(?<c>\w+)\/(?<n>[^/]+)$/, 'deleted'],
  ['POST', /^(?<c>\w+)\/(?<n>[^/]+)\/recover$/, 'recover'],
  ['DELETE', /^(?<c>\w+)\/(?<n>[^/]+)$/, 'purge'],
]

/** What a path of the Key Vault REST API asks for, or undefined if it is not one of those that the emulator knows. */
export function vaultRoute({ method, path }: Pick<Call, 'method' | 'path'>): VaultRoute | undefined {
  const trimmed = path.replace(/^\/|\/$/g, '')
  const deleted = trimmed.startsWith('deleted')
  const rest = deleted ? trimmed.slice('deleted'.length) : trimmed
  for (const [verb, shape, name] of deleted ? deletedRoutes : routes) {
    const groups = verb === method ? shape.exec(rest)?.groups : undefined
    const collection = collections.find((one) => one === groups?.['c'])
    if (!groups || !collection) continue
    const { n, v } = groups
    return { collection, verb: name, ...(n && { object: n }), ...(v && { version: v }) }
  }
  return undefined
}

/** The vault that a host names: its first label. */
export const vaultOf = (host: string) => host.split(/[.:]/)[0] ?? ''

/**
 * The resource that a vault's challenge names. The SDK insists that the vault's host ends with `.` and the resource's host
 * (`verifyChallengeResource` in @azure/keyvault-common), so it is the host without the vault's label; a host of one label or an
 * address names itself, which a client accepts only with `disableChallengeResourceVerification`.
 */
export function resourceOf(host: string): string {
  const { hostname } = new URL(`https://${host}`)
  const parent =
    /[a-z]/.test(hostname) && !hostname.startsWith('[') ? hostname.slice(hostname.indexOf('.') + 1) : hostname
  return `https://${parent}`
}
