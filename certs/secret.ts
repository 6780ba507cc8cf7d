import type { AuthorityRecord, Lifetimes, SecretState } from './secret-state.ts'
import type { Authority } from './x509.ts'
import type { Pki } from './pki.ts'
import { isSegment } from './segments.ts'

/** The keys of the Secret's data that are ours; others are left alone. */
export interface SecretData {
  /** PEM bundle of everything that callers have to trust, newest first: what every caBundle of ours contains */
  'ca.crt': string
  /** PKCS #8 PEM, of one of the above */
  'ca.key': string
  'tls.crt': string
  'tls.key': string
  /** `{"<sha256 of an authority>": {"leavesUntil": "<RFC 3339>", "notAfter": "<RFC 3339>"}}` */
  'rotation.json': string
  /** `["<32 hex digits>"]`, newest first; one that is an entry's alone has its own path after it */
  'path-segments.json': string
}

/** Reads the Secret's data (UTF-8 text by key). Parts that are missing, damaged or do not belong together are omitted. */
export function decodeSecret(data: Readonly<Record<string, string>>, names: readonly string[], pki: Pki): SecretState {
  const authorities = newestFirst(pki.parseAuthorities(data['ca.crt'] ?? ''))
  const key = data['ca.key'] ?? ''
  const signer = authorities.find(({ pem }) => pki.isKeyOf(pem, key))
  return {
    authorities,
    signer: signer && { authority: signer, key },
    leaf: pki.parseLeaf({ certificate: data['tls.crt'] ?? '', key: data['tls.key'] ?? '', names, authorities }),
    segments: decodeSegments(data['path-segments.json'] ?? '[]'),
    records: decodeRecords(data['rotation.json'] ?? '{}'),
  }
}

export function encodeSecret({ authorities, signer, leaf, segments, records }: SecretState): SecretData {
  return {
    'ca.crt': encodeBundle(authorities),
    'ca.key': signer?.key ?? '',
    'tls.crt': leaf?.pem ?? '',
    'tls.key': leaf?.key ?? '',
    'rotation.json': JSON.stringify(records, (_key, value: unknown) =>
      typeof value === 'number' ? new Date(value).toISOString() : value,
    ),
    'path-segments.json': JSON.stringify(segments),
  }
}

/** Returns the authorities as a PEM bundle. */
export function encodeBundle(authorities: readonly Authority[]): string {
  return authorities.map(({ pem }) => `${pem.trimEnd()}\n`).join('')
}

/**
 * Updates the records before a write: of every authority that may have issued something, and of retired ones as long as they could return
 * (in a caBundle from a backup). Certificates of an authority with unknown history expire within a leaf's lifetime from now, because it
 * issues no more.
 */
export function withRecords(state: SecretState, now: number, lifetimes: Lifetimes): SecretState {
  const { authorities, signer, leaf } = state
  const records = Object.entries(state.records).filter(([, { notAfter }]) => now < notAfter)
  const updated = new Map<string, AuthorityRecord>(records)
  for (const { id, notAfter } of authorities) {
    const issued = leaf?.authority === id ? leaf.notAfter : 0
    const guess = id === signer?.authority.id ? 0 : Math.min(now + lifetimes.leafMs, notAfter)
    const leavesUntil = Math.max(updated.get(id)?.leavesUntil ?? guess, issued)
    if (leavesUntil > 0) updated.set(id, { leavesUntil, notAfter })
  }
  return { ...state, records: Object.fromEntries(updated) }
}

/** Returns the state with these trusted authorities. */
export function withAuthorities(state: SecretState, authorities: readonly Authority[]): SecretState {
  return { ...state, authorities: newestFirst(authorities) }
}

function newestFirst(authorities: readonly Authority[]): Authority[] {
  return authorities.toSorted((a, b) => b.notBefore - a.notBefore)
}

function decodeSegments(json: string): string[] {
  try {
    const parsed: unknown = JSON.parse(json)
    return Array.isArray(parsed) ? [...new Set(parsed.filter(isSegment))] : []
  } catch {
    return []
  }
}

function decodeRecords(json: string): Record<string, AuthorityRecord> {
  try {
    const parsed = JSON.parse(json) as Record<string, Record<string, string> | null>
    const entries = Object.entries(parsed).map(([id, record]): [string, AuthorityRecord] => [
      id,
      { leavesUntil: Date.parse(record?.['leavesUntil'] ?? ''), notAfter: Date.parse(record?.['notAfter'] ?? '') },
    ])
    return Object.fromEntries(entries.filter(([, { leavesUntil, notAfter }]) => leavesUntil > 0 && notAfter > 0))
  } catch {
    return {}
  }
}
