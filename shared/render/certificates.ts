import { createPrivateKey, createPublicKey, X509Certificate, type JsonWebKey, type KeyObject } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { RenderFailure } from './rendered.ts'

/** Certificates in the order of the vault, and the private key of one of them if it is exportable. */
export interface CertifiedKey {
  key: KeyObject | undefined
  certificates: X509Certificate[]
}

/**
 * Reads the certificates and the private key (PKCS#8, PKCS#1 or SEC 1) of a PEM text, whatever its order and line ends.
 */
export function readPem(text: string): CertifiedKey {
  const certificates: X509Certificate[] = []
  let key: KeyObject | undefined
  for (const { label, block } of blocksOf(text)) {
    if (label === 'CERTIFICATE') certificates.push(readCertificate(block))
    else if (label.endsWith('PRIVATE KEY')) key ??= readPrivateKey(block)
    checkCount(certificates.length)
  }
  return { key, certificates }
}

/**
 * Limit of the certificates that are read: a vault's secret has space for fewer, and reading each one blocks other
 * work.
 */
const mostCertificates = 200

/** @throws {@link RenderFailure} for more certificates than the limit */
export function checkCount(certificates: number): void {
  if (certificates > mostCertificates) throw new RenderFailure(`it holds more than ${mostCertificates} certificates`)
}

/**
 * Returns the blocks of a PEM text, each up to the first end of its label; a beginning without an end is text. Reads
 * each character once.
 */
function* blocksOf(text: string): Generator<{ label: string; block: string }, void> {
  const signs = [...text.matchAll(/-----(BEGIN|END) ([A-Z0-9 ]+)(?=-----)/g)]
  const ends = Map.groupBy(
    signs.filter(([, kind]) => kind === 'END'),
    ([, , label]) => label as string,
  )
  for (const list of ends.values()) list.reverse()
  let past = 0
  for (const { 0: sign, 1: kind, 2: label = '', index } of signs) {
    if (kind === 'END' || index < past) continue
    const ahead = ends.get(label) ?? []
    while (ahead.length > 0 && (ahead.at(-1) as RegExpExecArray).index < index + sign.length + 5) ahead.pop()
    const end = ahead.at(-1)
    if (end === undefined) continue
    past = end.index + end[0].length + 5
    yield { label, block: text.slice(index, past) }
  }
}

/** Reads a certificate in DER or PEM. */
export function readCertificate(encoded: Uint8Array | string): X509Certificate {
  try {
    return new X509Certificate(encoded)
  } catch {
    throw new RenderFailure('it holds a certificate that is not X.509')
  }
}

/** Reads a private key in PEM, or in DER as PKCS#8. */
export function readPrivateKey(encoded: Buffer | string): KeyObject {
  try {
    return createPrivateKey(typeof encoded === 'string' ? encoded : { key: encoded, format: 'der', type: 'pkcs8' })
  } catch {
    throw new RenderFailure('it holds a private key that cannot be read: encrypted, damaged or of an unknown kind')
  }
}

/** Whether the private key belongs to one of the certificates. */
export const keyMatches = ({ key, certificates }: CertifiedKey): boolean =>
  key !== undefined && certificates.some((certificate) => certificate.checkPrivateKey(key))

/** Limit of the certificates that are compared with each other, which takes time. No chain is this long. */
const longestOrdered = 40

/**
 * Returns each certificate once, compared by its bytes: first the private key's own, then its issuers up to the roots,
 * then the others in their order. A certificate is before its issuer, and intermediates are before roots, as TLS
 * servers expect them. Of more than {@link longestOrdered} certificates, only the first place is decided. Each
 * signature is verified in its own turn of the event loop.
 */
export async function inOrder({ key, certificates }: CertifiedKey): Promise<X509Certificate[]> {
  const distinct = [...new Map(certificates.map((one) => [one.raw.toString('latin1'), one])).values()]
  const own = key && ownOf(key, distinct)
  if (distinct.length > longestOrdered) return own ? [...new Set([own, ...distinct])] : distinct
  const issuersOf = await issuersAmong(distinct)
  const ordered = new Set(own && chainFrom(own, issuersOf))
  while (ordered.size < distinct.length) {
    const rest = distinct.filter((one) => !ordered.has(one))
    for (const one of chainFrom(leafOf(rest, issuersOf), issuersOf)) ordered.add(one)
  }
  return [...ordered]
}

/**
 * Chooses among several certificates of one key: rather not a self-signed one, and then the one that is valid longest.
 */
function ownOf(key: KeyObject, certificates: readonly X509Certificate[]): X509Certificate | undefined {
  const own = certificates.filter((certificate) => certificate.checkPrivateKey(key))
  const end = ({ validTo }: X509Certificate) => Date.parse(validTo)
  return own.sort((one, other) => order(isRoot(one), isRoot(other)) || order(end(other), end(one)))[0]
}

type IssuersOf = (subject: X509Certificate) => readonly X509Certificate[]

/**
 * Returns where a chain without a key begins: a certificate that issued no other; of several, one that is not an
 * authority and has the longest chain.
 */
function leafOf(certificates: readonly X509Certificate[], issuersOf: IssuersOf): X509Certificate {
  const issuers = new Set(certificates.flatMap((one) => issuersOf(one).filter((other) => other !== one)))
  const length = (start: X509Certificate) => chainFrom(start, issuersOf).length
  const leaves = certificates.filter((certificate) => !issuers.has(certificate))
  const [leaf] = leaves.sort((one, other) => order(one.ca, other.ca) || order(length(other), length(one)))
  return leaf ?? (certificates[0] as X509Certificate)
}

/** Returns a certificate, its issuers and theirs: each before its own issuer, the roots last. */
function chainFrom(start: X509Certificate, issuersOf: IssuersOf): X509Certificate[] {
  const seen = new Set<X509Certificate>()
  const chain: X509Certificate[] = []
  const visit = (certificate: X509Certificate) => {
    if (seen.has(certificate)) return
    seen.add(certificate)
    issuersOf(certificate).toReversed().forEach(visit)
    chain.unshift(certificate)
  }
  visit(start)
  const [roots = [], others = []] = [true, false].map((isRoot) =>
    chain.filter((one) => one !== start && issuersOf(one).includes(one) === isRoot),
  )
  return [start, ...others, ...roots]
}

/**
 * Returns the issuers of a certificate, first those that its key identifier and serial number name; only a root is its
 * own issuer.
 */
async function issuersAmong(certificates: readonly X509Certificate[]): Promise<IssuersOf> {
  const found = new Map<X509Certificate, readonly X509Certificate[]>()
  for (const subject of certificates) {
    const issuers: X509Certificate[] = []
    for (const other of isRoot(subject) ? [] : certificates) {
      if (!isNamedIssuer(other, subject)) continue
      await setImmediate()
      if (issued(other, subject)) issuers.push(other)
    }
    const named = (one: X509Certificate) => subject.checkIssued(one)
    found.set(subject, isRoot(subject) ? [subject] : issuers.sort((one, other) => order(named(other), named(one))))
  }
  return (subject) => found.get(subject) ?? []
}

const order = (one: number | boolean, other: number | boolean): number => Number(one) - Number(other)

const isRoot = (certificate: X509Certificate): boolean => issued(certificate, certificate)

/**
 * Whether a certificate was issued by another, by name and signature. `checkIssued` alone is too strict, because it
 * compares the key usage and the serial number of an authority that may have been renewed, and too lax, because an
 * authority that was renewed with another key may have the same name.
 */
const issued = (issuer: X509Certificate, subject: X509Certificate): boolean =>
  isNamedIssuer(issuer, subject) && subject.verify(issuer.publicKey)

const isNamedIssuer = (issuer: X509Certificate, subject: X509Certificate): boolean =>
  subject.checkIssued(issuer) || subject.issuer === issuer.subject

/** Returns PEM with LF and without text between the blocks. */
export const printCertificates = (certificates: X509Certificate[]): string => certificates.join('')

/** Returns PKCS#8 in PEM, for RSA and EC. */
export const printPrivateKey = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

/**
 * Returns the SubjectPublicKeyInfo PEM of a vault's key. Its type may say that it is in an HSM (`RSA-HSM`), which a
 * file does not. Coordinates without leading zeros and numbers with too many are accepted.
 */
export function printPublicKey(jwk: JsonWebKey): string {
  const kind = jwk.kty?.replace(/-HSM$/, '')
  if (kind !== 'RSA' && kind !== 'EC') throw new RenderFailure(`a key of type ${jwk.kty} has no public part to write`)
  if (kind === 'EC' && !['P-256', 'P-384', 'P-521'].includes(jwk.crv ?? '')) {
    throw new RenderFailure(`keys on the curve ${jwk.crv} are not supported, only those on P-256, P-384 and P-521`)
  }
  try {
    const key = createPublicKey({ format: 'jwk', key: { ...jwk, kty: kind } })
    return key.export({ type: 'spki', format: 'pem' }) as string
  } catch {
    throw new RenderFailure(`its ${kind} key is incomplete or not a valid one`)
  }
}
