import type { JsonWebKey } from 'node:crypto'

import type { ObjectType } from '../objects/formats.ts'

/** The attributes of one version of an object; times in whole seconds since 1970. */
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
  /** The store's clock when it answered (its `Date` header), in milliseconds since 1970. */
  answeredAt?: number
}

export interface ListedVersion {
  version: string
  attributes: Attributes
}

/** An object as a list shows it. */
export interface ListedObject {
  name: string
  tags: Readonly<Record<string, string>>
}

/** Pages of a list that are read unless the caller says otherwise. */
export const defaultMaxPages = 40
/** Items of a page, which no request can raise. {@link https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret-versions} */
export const pageSize = 25
/** Versions of an object that are listed unless the caller says otherwise. */
export const mostVersions = 5_000

export interface ListOptions {
  /** More are a failure with the code `TooManyPages`; a limit of the store applies if this is absent. */
  maxPages?: number
  /** Called for each object, also of a list that turns out to be incomplete. */
  onItem?: (item: ListedObject) => void
}

/**
 * A store of objects, as a poll needs it. Every method makes its requests once, until it is aborted, and throws a
 * {@link VaultFailure}; the schedule decides about retries.
 */
export interface Vault {
  /** Attributes of all objects of a type by name in lower case, and how many pages (requests) that took. */
  list(
    type: ObjectType,
    abort: AbortSignal,
    options?: ListOptions,
  ): Promise<{ items: Map<string, Attributes>; pages: number }>
  /** The newest version, even if it is disabled, or the given one. */
  get(type: ObjectType, name: string, version: string | undefined, abort: AbortSignal): Promise<Fetched>
  /** Every version, in no order; `selection` for more than `most`, which is {@link mostVersions} by default. */
  versions(type: ObjectType, name: string, abort: AbortSignal, most?: number): Promise<ListedVersion[]>
}

/** The kinds of failures that the schedule, the metrics and the messages distinguish. */
export type FailureKind =
  | 'throttled' // 429
  | 'timeout' // no complete answer in time
  | 'network' // DNS, connect, reset, TLS
  | 'unavailable' // 5xx
  | 'malformed' // an answer that is not from Key Vault
  | 'bad-request' // 400
  | 'unauthorized' // 401 after a completed challenge
  | 'sign-in' // the token request was refused
  | 'sign-in-unavailable' // the token endpoint throttled, timed out or failed
  | 'forbidden' // 403
  | 'disabled' // the version is disabled
  | 'pending' // a pending certificate
  | 'not-found' // 404 of any kind but gone
  | 'selection' // a find selects too many objects or objects whose files conflict, or an object has too many versions
  | 'gone' // 404 with SecretNotFound, KeyNotFound or CertificateNotFound

const transient: ReadonlySet<FailureKind> = new Set([
  'throttled',
  'timeout',
  'network',
  'unavailable',
  'malformed',
  'sign-in-unavailable',
  'pending',
])

/**
 * How a failure is expected to end. `permanent`: a person has to fix it. `doubtful`: it looks transient, but usually has its
 * cause in the configuration, such as a name that does not resolve. `transient`: by itself.
 */
export type Outlook = 'permanent' | 'doubtful' | 'transient'

/** No connection (DNS, routes, firewalls, TLS), or an answer that is not from Key Vault. */
const doubtful: ReadonlySet<FailureKind> = new Set(['network', 'malformed'])

/** A failed request: the message names vault, object, the vault's answer and the remedy, but never a value. */
export class VaultFailure extends Error {
  override name = 'VaultFailure'
  readonly kind: FailureKind
  /** The innermost code the service gave: `ForbiddenByRbac`, `AADSTS70021`, `ENOTFOUND`. */
  readonly code: string | undefined
  readonly status: number | undefined
  /** How long the service asked to wait, in milliseconds. */
  readonly retryAfter: number | undefined
  /** How the failure is expected to end. */
  readonly outlook: Outlook

  constructor(
    kind: FailureKind,
    message: string,
    details: {
      code?: string | undefined
      status?: number | undefined
      retryAfter?: number | undefined
      /** Default: that of the kind. */
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

  /** True if the same request is likely to succeed soon without any change. */
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
