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

/** Every certificate in a PEM text, in order. What does not parse is left out: a bundle is as good as its readable part. */
export function parseCertificates(pem: string): X509Certificate[] {
  return (pem.match(PEM_BLOCK) ?? []).flatMap((block) => attempt(() => new X509Certificate(block)) ?? [])
}

/** The authorities in a PEM bundle, in order, each once. */
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
 * The pair of `certificate` and `key` (PEM) as a Leaf; undefined when it is of no use to us: unreadable, the key belongs to another
 * certificate, it does not cover `name`, or none of the `authorities` issued it.
 */
export function parseLeaf(pair: {
  certificate: string
  key: string
  name: string
  authorities: readonly Authority[]
}): Leaf | undefined {
  const certificate = parseCertificates(pair.certificate)[0]
  if (!certificate || !isKeyOf(certificate, pair.key) || !certificate.checkHost(pair.name)) return undefined
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

/** Whether `key` (PEM) is the private key of `certificate` (PEM or parsed). */
export function isKeyOf(certificate: X509Certificate | string, key: string): boolean {
  const parsed = typeof certificate === 'string' ? attempt(() => new X509Certificate(certificate)) : certificate
  return attempt(() => parsed?.checkPrivateKey(createPrivateKey(key))) ?? false
}

/** Whether `authority` issued `certificate`: names and key ids agree, and the signature is right. */
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
