import type { Authority, Leaf } from './x509.ts'

/** All in milliseconds. */
export interface Lifetimes {
  authorityMs: number
  leafMs: number
  /** how long the webhook caches of other API servers may lag behind the one that answered */
  propagationMs: number
}
/** The usable content of the Secret. */
export interface SecretState {
  /** all authorities that callers have to trust, newest first */
  authorities: readonly Authority[]
  /** the issuing authority, whose private key is in the Secret */
  signer?: { authority: Authority; key: string } | undefined
  leaf?: Leaf | undefined
  /** the secrets that the segments before the entries' paths are derived from, newest first */
  segments: readonly string[]
  /** by authority id; times in milliseconds since 1970 */
  records: Readonly<Record<string, AuthorityRecord>>
}
/** What has to be known about an authority, even for some time after it was retired. */
export interface AuthorityRecord {
  /** when the last certificate that it issued expires */
  leavesUntil: number
  notAfter: number
}
