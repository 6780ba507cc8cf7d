import { createPrivateKey, createPublicKey, X509Certificate, type JsonWebKey, type KeyObject } from 'node:crypto'
import { RenderFailure } from './rendered.ts'

/** Certificates in the vault's order, with the private key of one of them where it is exportable. */
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

/** The certificate of the private key, else the first that issued none of the others. */
export function leafOf({ key, certificates }: CertifiedKey): X509Certificate {
  const owns = (certificate: X509Certificate) => key !== undefined && certificate.checkPrivateKey(key)
  const issuedNone = (issuer: X509Certificate) => !certificates.some((other) => other !== issuer && issued(issuer, other)) // prettier-ignore
  return certificates.find(owns) ?? certificates.find(issuedNone) ?? (certificates[0] as X509Certificate)
}

/**
 * By name and signature. `checkIssued` alone is too strict, since it goes by the key usage and by the serial number of an authority that
 * was renewed since, and too lax, since an authority that was renewed with another key may have its name.
 */
const issued = (issuer: X509Certificate, subject: X509Certificate): boolean =>
  (subject.checkIssued(issuer) || subject.issuer === issuer.subject) && subject.verify(issuer.publicKey)

/** Of several, the one that the certificate's key identifier and serial number name. */
function issuerOf(subject: X509Certificate, among: Iterable<X509Certificate>): X509Certificate | undefined {
  const issuers = [...among].filter((other) => issued(other, subject))
  return issuers.find((issuer) => subject.checkIssued(issuer)) ?? issuers[0]
}

/** The certificates from the leaf upwards, as far as each has its issuer, and what is left in the vault's order. */
function follow(certified: CertifiedKey): { chain: X509Certificate[]; rest: X509Certificate[] } {
  const rest = new Set(certified.certificates)
  const chain: X509Certificate[] = []
  for (let next: X509Certificate | undefined = leafOf(certified); next !== undefined;) {
    const last: X509Certificate = next
    rest.delete(last)
    chain.push(last)
    next = issuerOf(last, rest)
  }
  return { chain, rest: [...rest] }
}

/** From leaf to root; certificates that are not one whole chain keep the vault's order. */
export function inOrder(certified: CertifiedKey): X509Certificate[] {
  const { chain, rest } = follow(certified)
  return rest.length === 0 ? chain : certified.certificates
}

/** Like {@link inOrder}, but the leaf and its issuers come first in any case, as TLS servers want them beside the key. */
export function leafFirst(certified: CertifiedKey): X509Certificate[] {
  const { chain, rest } = follow(certified)
  return [...chain, ...rest]
}

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
