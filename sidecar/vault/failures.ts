import type { ObjectType } from '../../shared/object-spec.ts'
import { retryAfterOf, serviceError, type Answer, type ServiceError } from './answer.ts'
import { VaultFailure, type FailureKind } from './vault.ts'

/** What was asked, of whom and by whom: how messages name it. */
export interface Subject {
  /** The vault's name, or its host where that is not `<name>.<the cloud's suffix>`. */
  vault: string
  operation: 'list' | 'get' | 'versions'
  type: ObjectType
  object?: string | undefined
  version?: string | undefined
  /** The client id, and that it is the node's where it is. */
  identity: string
}

/** `vault my-kv, secret db-password`: how every message begins. */
export function placeOf({ vault, operation, type, object, version }: Subject): string {
  const thing = `${type} ${object ?? ''}${version === undefined ? '' : `@${version}`}`
  const things = { list: `list of ${type}s`, versions: `versions of ${thing}`, get: thing }
  return `vault ${vault}, ${things[operation]}`
}

/** The failure that an answer which is not a success means; its message names the remedy. */
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

const goneCodes: ReadonlySet<string> = new Set(['SecretNotFound', 'KeyNotFound', 'CertificateNotFound'])

function classify(answer: Answer, error: ServiceError, subject: Subject): Classified {
  const { status } = answer
  const code = error.inner ?? error.code
  const words = error.words ?? strangeBody(answer)
  if (status < 400) return { kind: 'malformed', code, text: redirected(answer) }
  switch (status) {
    case 401:
      return { kind: 'unauthorized', code: /AKV\d+/.exec(error.words ?? '')?.[0] ?? code, text: `the vault refuses the token of identity ${subject.identity}: ${words}` } // prettier-ignore
    case 403:
      return { ...forbidden(code, words, subject), code }
    case 404:
      // Of the body, the outer code: only the service itself says that the object is gone, a proxy's or a wrong vault's 404 does not.
      return error.code !== undefined && goneCodes.has(error.code)
        ? {
            kind: 'gone',
            code,
            text: `there is no ${subject.type} of this name and version in the vault; was it deleted, or is it of another type?`,
          }
        : { kind: 'not-found', code, text: words }
    case 408:
    case 409:
      return { kind: 'unavailable', code, text: words }
    case 429:
      return { kind: 'throttled', code, text: 'the vault asks for fewer requests' }
    default:
      return { kind: status >= 500 ? 'unavailable' : 'bad-request', code, text: words }
  }
}

/** Azure's built-in roles that hold no more than reading, by type ({@link https://learn.microsoft.com/azure/key-vault/general/rbac-guide}). */
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
      return { kind: 'forbidden', text: `identity ${identity} may not ${verb} it; ${roles[type]}` }
    case 'AccessDenied': {
      const permission = `"${verb}" to its ${policyNames[type]} permissions in the vault's access policies`
      return { kind: 'forbidden', text: `identity ${identity} may not ${verb} it; add ${permission}` }
    }
    case 'ForbiddenByFirewall':
      return {
        kind: 'forbidden',
        text: "the vault's firewall keeps this cluster out; allow its subnet or outbound address in the vault's network rules, or use a private endpoint",
      }
    case 'ForbiddenByConnection':
      return {
        kind: 'forbidden',
        text: "the vault takes requests through private endpoints only; give this network one and link its private DNS zone, so that the vault's name resolves to it",
      }
    case 'SecretDisabled':
      return { kind: 'disabled', text: 'this version is disabled; enable it or add a new one' }
    default:
      return { kind: 'forbidden', text: `identity ${identity}: ${words}` }
  }
}

const redirected = ({ header }: Answer): string => {
  const location = header('location')
  return location === undefined
    ? 'not an answer of Key Vault'
    : `a redirect to ${hostOf(location)}, which is not followed`
}

/** Only where it leads: a query may hold what nobody should read in a log. */
function hostOf(location: string): string {
  return URL.parse(location)?.origin ?? 'another path'
}

/** Describes a body without quoting it. */
export function strangeBody({ text, header }: Answer): string {
  const type = header('content-type')?.split(';')[0] ?? 'no content type'
  if (text === '') return "an empty body, which is not Key Vault's"
  return `a body that is not Key Vault's (${type}, ${text.length} characters); is there a proxy or firewall in between?`
}

/** What to do about a connection that failed, by the code of Node or OpenSSL. */
const remedies: Record<string, string> = {
  ENOTFOUND: 'the name does not resolve; is the name right, and does the cluster DNS know its private DNS zone?',
  EAI_AGAIN: 'the name server does not answer',
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'there is no route to it; is there a network policy?',
  ENETUNREACH: 'there is no route to it; is there a network policy?',
  ETIMEDOUT: 'it does not answer; is there a network policy or firewall?',
  CERT_HAS_EXPIRED: "the server's certificate has expired, or the clock of this node is wrong",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet; is the clock of this node right?",
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for other names",
}
const untrusted =
  /^(CERT_SIGNATURE_FAILURE|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?))$/

/** `ECONNRESET: socket hang up`, with a remedy where there is one; `authority` says whose certificates are to be trusted. */
export function describeConnection(
  error: unknown,
  authority = 'set caCertificates of the cloud',
): { code: string | undefined; text: string } {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const known = typeof code === 'string' ? code : undefined
  const remedy = untrusted.test(known ?? '')
    ? `the server's certificate is not signed by a trusted authority; ${authority}`
    : remedies[known ?? '']
  const words =
    remedy ?? (typeof message === 'string' && message !== '' ? message.slice(0, 300) : 'the connection failed')
  return { code: known, text: known === undefined ? words : `${known}: ${words}` }
}
