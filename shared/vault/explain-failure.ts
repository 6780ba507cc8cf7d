import { isUntrusted } from '../untrusted.ts'
import type { ObjectType } from '../objects/formats.ts'
import { annotationPrefix } from '../names.ts'
import { retryAfterOf, serviceError, type Answer, type ServiceError } from './http-answer.ts'
import { VaultFailure, type FailureKind } from './store.ts'

/** What was requested, from which vault and by which identity: how messages name it. */
export interface Subject {
  /** The vault's name, or its host if that is not `<name>.<the cloud's suffix>`. */
  vault: string
  operation: 'list' | 'get' | 'versions'
  type: ObjectType
  object?: string | undefined
  version?: string | undefined
  /** The client ID; a node's identity is marked as such. */
  identity: string
}

/** The beginning of every message: `vault my-kv, secret db-password`. */
export function placeOf({ vault, operation, type, object, version }: Subject): string {
  const thing = `${type} ${object ?? ''}${version === undefined ? '' : `@${version}`}`
  const things = { list: `list of ${type}s`, versions: `versions of ${thing}`, get: thing }
  return `vault ${vault}, ${things[operation]}`
}

/** The failure that an unsuccessful answer stands for; its message names the remedy. */
export function answerFailure(answer: Answer, subject: Subject, now: number): VaultFailure {
  const error = serviceError(answer)
  const { kind, code, text } = classify(answer, error, subject)
  return new VaultFailure(kind, `${placeOf(subject)}: ${[answer.status, code].filter(Boolean).join(' ')}: ${text}`, {
    code,
    status: answer.status,
    retryAfter: retryAfterOf(answer, now),
  })
}

interface Classified {
  kind: FailureKind
  code: string | undefined
  text: string
}

const throttledText =
  'the vault throttles requests, which are repeated; what was read before stays in use. If it lasts: raise poll-interval, or use several vaults'

const akvCodeOf = ({ words }: ServiceError): string | undefined => /AKV\d+/.exec(words ?? '')?.[0]

/** What Key Vault's codes mean for a pod. {@link https://learn.microsoft.com/azure/key-vault/general/common-error-codes} */
function unauthorized(code: string | undefined, words: string, { identity }: Subject): string {
  const tenant = `set the annotation ${annotationPrefix}tenant-id (in a SecretProviderClass: tenantID) to the vault's tenant`
  const cloud = `set the annotation ${annotationPrefix}cloud to the vault's cloud`
  const remedies: Record<string, string> = {
    AKV10022: `identity ${identity} signed in, but its token is for another audience; ${cloud}`,
    AKV10032: `identity ${identity} signed in, but at a tenant that this vault does not trust; ${tenant}`,
  }
  const remedy = remedies[code ?? '']
  return remedy === undefined ? `the vault rejects the token of identity ${identity}: ${words}` : `${remedy}: ${words}`
}

const goneCodes: ReadonlySet<string> = new Set(['SecretNotFound', 'KeyNotFound', 'CertificateNotFound'])

function classify(answer: Answer, error: ServiceError, subject: Subject): Classified {
  const { status } = answer
  const code = error.inner ?? error.code
  const words = error.words ?? strangeBody(answer)
  if (status < 400) return { kind: 'malformed', code, text: redirected(answer) }
  switch (status) {
    case 401:
      return {
        kind: 'unauthorized',
        code: akvCodeOf(error) ?? code,
        text: unauthorized(akvCodeOf(error), words, subject),
      }
    case 403:
      return { ...forbidden(code, words, subject), code }
    case 404:
      // The body's outer code: only the service itself says that an object is gone; a proxy's or a wrong vault's 404 does not.
      return error.code !== undefined && goneCodes.has(error.code)
        ? {
            kind: 'gone',
            code,
            text: `the vault has no ${subject.type} of this name and version: was it deleted, or does it have another type?`,
          }
        : { kind: 'not-found', code, text: words }
    case 408:
    case 409:
      return { kind: 'unavailable', code, text: words }
    case 429:
      return { kind: 'throttled', code, text: throttledText }
    default:
      return { kind: status >= 500 ? 'unavailable' : 'bad-request', code, text: words }
  }
}

/** Azure's built-in roles that grant no more than reading, by type ({@link https://learn.microsoft.com/azure/key-vault/general/rbac-guide}). */
const roles: Record<ObjectType, string> = {
  secret: 'grant "Key Vault Secrets User"',
  key: 'grant "Key Vault Crypto User" or "Key Vault Reader"',
  cert: 'grant "Key Vault Certificate User" or "Key Vault Reader"',
}
const policyNames: Record<ObjectType, string> = { secret: 'secret', key: 'key', cert: 'certificate' }

function forbidden(code: string | undefined, words: string, subject: Subject): Omit<Classified, 'code'> {
  const { operation, type, identity } = subject
  const verb = operation === 'get' ? 'get' : 'list'
  switch (code) {
    case 'ForbiddenByRbac':
      return { kind: 'forbidden', text: `identity ${identity} is not allowed to ${verb} it; ${roles[type]}` }
    case 'AccessDenied': {
      const permission = `"${verb}" to its ${policyNames[type]} permissions in the vault's access policies`
      return { kind: 'forbidden', text: `identity ${identity} is not allowed to ${verb} it; add ${permission}` }
    }
    case 'ForbiddenByFirewall':
      return {
        kind: 'forbidden',
        text: "the vault's firewall blocks this cluster; allow its subnet or outbound address in the vault's network rules, or use a private endpoint",
      }
    case 'ForbiddenByConnection':
      return {
        kind: 'forbidden',
        text: "the vault accepts requests only through private endpoints; create one in this network and link its private DNS zone, so that the vault's name resolves to it",
      }
    case 'SecretDisabled':
      return { kind: 'disabled', text: 'this version is disabled; enable it or add a new version' }
    default:
      return { kind: 'forbidden', text: `identity ${identity}: ${words}` }
  }
}

const redirected = ({ header }: Answer): string => {
  const location = header('location')
  return location === undefined
    ? 'the answer is not from Key Vault'
    : `a redirect to ${hostOf(location)}, which is not followed`
}

/** The origin only: a query may contain secrets, which must not be logged. */
function hostOf(location: string): string {
  return URL.parse(location)?.origin ?? 'another path'
}

/** Describes a body without quoting it. */
export function strangeBody({ text, header }: Answer): string {
  const type = header('content-type')?.split(';')[0] ?? 'no content type'
  if (text === '') return 'an empty body, which Key Vault does not send'
  return `a body that Key Vault does not send (${type}, ${text.length} characters); is there a proxy or firewall in between?`
}

/** What happened to a connection, and what to do, by the code of Node or OpenSSL; `at` is host and port. */
const remedies: Record<string, (at: string) => string> = {
  ENOTFOUND: (at) =>
    `the name of ${at} does not resolve: is it right, and does the cluster's DNS know its private DNS zone?`,
  EAI_AGAIN: (at) =>
    `the DNS server did not answer for ${at}: does CoreDNS run, and does a NetworkPolicy of this namespace block port 53?`,
  ECONNREFUSED: (at) => `${at} refused the connection: is it the right host and port, and does its server run?`,
  EHOSTUNREACH: (at) => `there is no route to ${at}: does a network policy block it?`,
  ENETUNREACH: (at) => `there is no route to ${at}: does a network policy block it?`,
  ETIMEDOUT: (at) =>
    `${at} did not accept a connection in time: does a firewall or network policy block it, or does its name resolve to a private endpoint that cannot be reached from here?`,
  CERT_HAS_EXPIRED: (at) => `the certificate of ${at} has expired, or the clock of this node is wrong`,
  CERT_NOT_YET_VALID: (at) => `the certificate of ${at} is not valid yet: is the clock of this node right?`,
  ERR_TLS_CERT_ALTNAME_INVALID: (at) =>
    `the certificate of ${at} is for other names: is there a proxy or firewall in between?`,
}

/** Host and port of a URL: `my-kv.vault.azure.net:443`. */
export function endpointOf(url: string): string {
  const { hostname, port, protocol } = new URL(url)
  return `${hostname}:${port || (protocol === 'http:' ? 80 : 443)}`
}

/**
 * Why a connection failed, with a remedy if there is one: `ECONNREFUSED: my-kv.vault.azure.net:443 refused the connection...`.
 * @param at host and port
 * @param authority what to do if the server's certificate is not trusted
 */
export function describeConnection(
  error: unknown,
  at: string,
  authority = 'add its CA to caCertificates of the cloud',
): { code: string | undefined; text: string } {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const known = typeof code === 'string' ? code : undefined
  const remedy = isUntrusted(error)
    ? `the certificate of ${at} is not signed by a trusted authority; ${authority}`
    : remedies[known ?? '']?.(at)
  const detail = typeof message === 'string' && message !== '' ? `: ${message.slice(0, 300)}` : ''
  const words = remedy ?? `the connection to ${at} failed${detail}`
  return { code: known, text: known === undefined ? words : `${known}: ${words}` }
}
