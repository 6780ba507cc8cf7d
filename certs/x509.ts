import { createPrivateKey, X509Certificate } from 'node:crypto'

/** A certificate authority that callers of the webhook trust, or are about to. Times are milliseconds since 1970. */
export interface Authority {
  /** SHA-256 of the DER encoding, hex: the same certificate has the same id in the Secret and in any caBundle. */
  id: string
  pem: string
  notBefore: number
  notAfter: number
}

/** A serving certificate, with its private key and the authority that issued it. */
export interface Leaf {
  id: string
  pem: string
  key: string
  /** id of the issuing Authority */
  authority: string
  notBefore: number
  notAfter: number
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** Returns every certificate in a PEM text, in order, without those that cannot be parsed. */
export function parseCertificates(pem: string): X509Certificate[] {
  return (pem.match(PEM_BLOCK) ?? []).flatMap((block) => attempt(() => new X509Certificate(block)) ?? [])
}

/** Returns the authorities in a PEM bundle, in order, each once. */
export function parseAuthorities(pem: string): Authority[] {
  const authorities = parseCertificates(pem).map((certificate) => ({
    id: fingerprint(certificate),
    pem: certificate.toString(),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
  }))
  return [...new Map(authorities.map((authority) => [authority.id, authority])).values()]
}

/**
 * Returns `certificate` and `key` (PEM) as a Leaf; undefined if they cannot be used: they are invalid, the key belongs to another certificate,
 * the certificate does not cover all `names`, or none of the `authorities` issued it.
 */
export function parseLeaf(pair: {
  certificate: string
  key: string
  names: readonly string[]
  authorities: readonly Authority[]
}): Leaf | undefined {
  const certificate = parseCertificates(pair.certificate)[0]
  if (!certificate || !isKeyOf(certificate, pair.key)) return undefined
  if (!pair.names.every((name) => certificate.checkHost(name))) return undefined
  const authority = pair.authorities.find(({ pem }) => isIssuedBy(certificate, new X509Certificate(pem)))
  if (!authority) return undefined
  return {
    id: fingerprint(certificate),
    pem: pair.certificate,
    key: pair.key,
    authority: authority.id,
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
  }
}

/** A certificate with its chain and private key, from any issuer. */
export interface ServedPair {
  id: string
  certificate: string
  key: string
  /** the certificate first, then the other certificates of the file */
  chain: readonly X509Certificate[]
  notBefore: number
  notAfter: number
}

/** Reads a pair. @throws Error if there is no certificate, or the key belongs to another one */
export function parsePair({ certificate, key }: { certificate: string; key: string }): ServedPair {
  const chain = parseCertificates(certificate)
  const [leaf] = chain
  if (!leaf) throw new Error('it contains no certificate')
  if (!isKeyOf(leaf, key)) throw new Error('the private key does not belong to the certificate')
  const { validFromDate, validToDate } = leaf
  const times = { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() }
  return { id: fingerprint(leaf), certificate, key, chain, ...times }
}

/** Whether a bundle (PEM) trusts the first certificate of `chain`: it contains the certificate, or an issuer of it through the chain. */
export function isAnchoredIn([first, ...others]: readonly X509Certificate[], bundle: string): boolean {
  const anchors = parseCertificates(bundle)
  let current = first
  for (let left = others.length; current && left >= 0; left--) {
    const { fingerprint256 } = current
    const certificate = current
    if (anchors.some((anchor) => anchor.fingerprint256 === fingerprint256 || isIssuedBy(certificate, anchor)))
      return true
    current = others.find((issuer) => isIssuedBy(certificate, issuer))
  }
  return false
}

/** Whether `key` (PEM) is the private key of `certificate` (PEM or parsed). */
export function isKeyOf(certificate: X509Certificate | string, key: string): boolean {
  const parsed = typeof certificate === 'string' ? attempt(() => new X509Certificate(certificate)) : certificate
  return attempt(() => parsed?.checkPrivateKey(createPrivateKey(key))) ?? false
}

/** Whether `authority` issued `certificate`: names and key IDs match, and the signature is valid. */
export function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && (attempt(() => certificate.verify(authority.publicKey)) ?? false)
}

function fingerprint(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase()
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
