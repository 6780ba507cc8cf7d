import type { JsonWebKey } from 'node:crypto'

import type { ObjectType } from '../../shared/object-spec.ts'

/** What a store says of one version of an object besides its content; times in whole seconds since 1970. */
export interface Attributes {
  enabled: boolean
  created?: number
  updated?: number
  expires?: number
  notBefore?: number
  /** A certificate's SHA-1 thumbprint, base64url. */
  thumbprint?: string
}

/** One version of an object, with its content. */
export interface Fetched {
  type: ObjectType
  name: string
  version: string
  attributes: Attributes
  /** Of a secret. */
  contentType?: string
  /** The key id of a secret that backs a certificate. */
  keyId?: string
  /** A secret's value verbatim, a key's public JSON Web Key, or a certificate in DER. */
  content: { secret: string } | { key: JsonWebKey } | { certificate: Uint8Array }
  /** The store's own clock when it answered (its `Date` header), in milliseconds. */
  answeredAt?: number
}

export interface ListedVersion {
  version: string
  attributes: Attributes
}

/**
 * A store of objects, as the tick needs it. Every method makes its requests once, under the signal given, and throws a
 * {@link VaultFailure}: retrying is the schedule's.
 */
export interface Vault {
  /** Attributes of all objects of a type by name in lower case, and how many pages (requests) that took. */
  list(type: ObjectType, signal: AbortSignal): Promise<{ items: Map<string, Attributes>; pages: number }>
  /** The newest version, even when it is disabled, or the one given. */
  get(type: ObjectType, name: string, version: string | undefined, signal: AbortSignal): Promise<Fetched>
  /** Every version, in no order. */
  versions(type: ObjectType, name: string, signal: AbortSignal): Promise<ListedVersion[]>
}

/** What went wrong, as the schedule, the metrics and the messages tell failures apart. */
export type FailureKind =
  | 'throttled' // 429
  | 'timeout' // no whole answer in time
  | 'network' // DNS, connect, reset, TLS
  | 'unavailable' // 5xx
  | 'malformed' // an answer that is not Key Vault's
  | 'bad-request' // 400
  | 'unauthorized' // 401 after a completed challenge
  | 'sign-in' // the token was refused
  | 'sign-in-unavailable' // the token endpoint throttled, timed out or failed
  | 'forbidden' // 403
  | 'disabled' // the version is disabled
  | 'pending' // a certificate in creation
  | 'not-found' // 404 of any kind but gone
  | 'gone' // 404 with SecretNotFound, KeyNotFound or CertificateNotFound

const transient: ReadonlySet<FailureKind> = new Set(['throttled', 'timeout', 'network', 'unavailable', 'malformed', 'sign-in-unavailable', 'pending']) // prettier-ignore

/**
 * Who is expected to cure a failure. `permanent`: somebody; no retry does. `doubtful`: it looks transient, but is usually a
 * matter of configuration, such as a name that does not resolve. `transient`: time.
 */
export type Outlook = 'permanent' | 'doubtful' | 'transient'

/** No connection (DNS, routes, firewalls, TLS), or an answer that is not Key Vault's. */
const doubtful: ReadonlySet<FailureKind> = new Set(['network', 'malformed'])

/** A failed request: the message names vault, object, what the vault answered and the remedy, and never a value. */
export class VaultFailure extends Error {
  override name = 'VaultFailure'
  readonly kind: FailureKind
  /** The innermost code the service gave: `ForbiddenByRbac`, `AADSTS70021`, `ENOTFOUND`. */
  readonly code: string | undefined
  readonly status: number | undefined
  /** How long the service asked to wait, in milliseconds. */
  readonly retryAfter: number | undefined
  /** What a pod's first fetch may expect of retrying. */
  readonly outlook: Outlook

  constructor(
    kind: FailureKind,
    message: string,
    details: {
      code?: string | undefined
      status?: number | undefined
      retryAfter?: number | undefined
      /** In place of what the kind means. */
      outlook?: Outlook | undefined
      cause?: unknown
    } = {},
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause })
    this.kind = kind
    this.code = details.code
    this.status = details.status
    this.retryAfter = details.retryAfter
    this.outlook = details.outlook ?? (doubtful.has(kind) ? 'doubtful' : this.transient ? 'transient' : 'permanent')
  }

  /** Whether the same request may well succeed soon, with nobody changing anything. */
  get transient(): boolean {
    return transient.has(this.kind)
  }

  /** The same failure in other words. */
  restated(
    message: string,
    { kind = this.kind, retryAfter = this.retryAfter, outlook = this.outlook } = {},
  ): VaultFailure {
    return new VaultFailure(kind, message, { code: this.code, status: this.status, retryAfter, outlook })
  }
}
