import { createPrivateKey, createPublicKey, X509Certificate, type JsonWebKey, type KeyObject } from 'node:crypto'
import { RenderFailure } from './rendered.ts'

/** Certificates in the order of the vault, with the private key of one of them where it is exportable. */
export interface CertifiedKey {
  key: KeyObject | undefined
  certificates: X509Certificate[]
}

/** Reads the certificates and the private key (PKCS#8, PKCS#1 or SEC 1) of a PEM text, whatever its order and line ends. */
export function readPem(text: string): CertifiedKey {
  const certificates: X509Certificate[] = []
  let key: KeyObject | undefined
  for (const [block, label = ''] of text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----/gs)) {
    if (label === 'CERTIFICATE') certificates.push(readCertificate(block))
    else if (label.endsWith('PRIVATE KEY')) key ??= readPrivateKey(block)
  }
  return { key, certificates }
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

/** Comparing each certificate with each other takes time; no chain is this long. */
const longestOrdered = 40

/**
 * Returns each certificate once, compared by its bytes: the private key's own certificate, then all that lead up from it to its
 * roots, then what else there is in the same order. A certificate stands before its issuer and intermediates before roots, as TLS
 * servers want them beside the key. Of more than {@link longestOrdered} certificates only the first place is decided.
 */
export function inOrder({ key, certificates }: CertifiedKey): X509Certificate[] {
  const distinct = [...new Map(certificates.map((one) => [one.raw.toString('latin1'), one])).values()]
  const own = key && ownOf(key, distinct)
  if (distinct.length > longestOrdered) return own ? [...new Set([own, ...distinct])] : distinct
  const issuersOf = issuersAmong(distinct)
  const ordered = new Set(own && chainFrom(own, issuersOf))
  while (ordered.size < distinct.length) {
    const rest = distinct.filter((one) => !ordered.has(one))
    for (const one of chainFrom(leafOf(rest, issuersOf), issuersOf)) ordered.add(one)
  }
  return [...ordered]
}

/** Of several certificates of one key: not one that the key signed itself, and the one that is valid longest. */
function ownOf(key: KeyObject, certificates: readonly X509Certificate[]): X509Certificate | undefined {
  const own = certificates.filter((certificate) => certificate.checkPrivateKey(key))
  const end = ({ validTo }: X509Certificate) => Date.parse(validTo)
  return own.sort((one, other) => order(isRoot(one), isRoot(other)) || order(end(other), end(one)))[0]
}

type IssuersOf = (subject: X509Certificate) => readonly X509Certificate[]

/** Where a chain begins without a key: a certificate that issued no other one; of several, no authority, and the longest chain. */
function leafOf(certificates: readonly X509Certificate[], issuersOf: IssuersOf): X509Certificate {
  const issuers = new Set(certificates.flatMap((one) => issuersOf(one).filter((other) => other !== one)))
  const length = (start: X509Certificate) => chainFrom(start, issuersOf).length
  const leaves = certificates.filter((certificate) => !issuers.has(certificate))
  const [leaf] = leaves.sort((one, other) => order(one.ca, other.ca) || order(length(other), length(one)))
  return leaf ?? (certificates[0] as X509Certificate)
}

/** A certificate, its issuers and theirs: each before its own issuer, the roots last. */
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

/** The certificates that issued one, first those that its key identifier and serial number name; a root alone issued itself. */
function issuersAmong(certificates: readonly X509Certificate[]): IssuersOf {
  const found = new Map<X509Certificate, X509Certificate[]>()
  return (subject) => {
    const issuers =
      found.get(subject) ??
      (isRoot(subject) ? [subject] : certificates.filter((other) => issued(other, subject))).sort((one, other) =>
        order(subject.checkIssued(other), subject.checkIssued(one)),
      )
    found.set(subject, issuers)
    return issuers
  }
}

const order = (one: number | boolean, other: number | boolean): number => Number(one) - Number(other)

const isRoot = (certificate: X509Certificate): boolean => issued(certificate, certificate)

/**
 * By name and signature. `checkIssued` alone is too strict, since it goes by the key usage and by the serial number of an authority that
 * was renewed since, and too lax, since an authority that was renewed with another key may have its name.
 */
const issued = (issuer: X509Certificate, subject: X509Certificate): boolean =>
  (subject.checkIssued(issuer) || subject.issuer === issuer.subject) && subject.verify(issuer.publicKey)

/** PEM with LF, no text between the blocks. */
export const printCertificates = (certificates: X509Certificate[]): string => certificates.join('')

/** PKCS#8 in PEM, RSA and EC alike. */
export const printPrivateKey = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

/**
 * The SubjectPublicKeyInfo PEM of a vault's key. Its kind may say that it lives in an HSM (`RSA-HSM`), which a file does not;
 * coordinates without leading zeros and numbers with too many are read as what they mean.
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
