import { generateKeyPair as generateKeyPairWithCallback, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import forge from 'node-forge'
import { parseAuthorities, parseLeaf, type Authority, type Leaf } from './x509.ts'

const generateKeyPair = promisify(generateKeyPairWithCallback)

/** Certificates are valid from five minutes before their creation, because the clocks of API servers may be slightly behind. */
export const BACKDATE_MS = 5 * 60_000

/** Outlives several rotations; NIST SP 800-57 requires 3072 bits beyond 2030. */
const AUTHORITY_KEY_BITS = 3072
/** Smaller, because it lives for weeks and signs every handshake. */
const LEAF_KEY_BITS = 2048

export interface NewAuthority {
  authority: Authority
  /** PKCS #8 PEM */
  key: string
}

/**
 * Creates a self-signed authority that may only sign certificates.
 *
 * Its subject and key ID are unique, so that several authorities in one caBundle can be distinguished by issuer name (RFC 5280, 4.1.2.4) and
 * by key ID (4.2.1.2). `now` and `lifetimeMs` are milliseconds; validity begins BACKDATE_MS before `now`.
 */
export async function createAuthority(options: { now: number; lifetimeMs: number }): Promise<NewAuthority> {
  const { publicKey, privateKey } = await generateKeyPair('rsa', pemKeys(AUTHORITY_KEY_BITS))
  const serialNumber = randomSerial()
  const certificate = forge.pki.createCertificate()
  const name = [{ name: 'commonName', value: `akv-injector CA ${serialNumber.slice(0, 16)}` }]
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey)
  certificate.serialNumber = serialNumber
  certificate.validity = validity(options.now, options.now + options.lifetimeMs)
  certificate.setSubject(name)
  certificate.setIssuer(name)
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
  ])
  certificate.sign(forge.pki.privateKeyFromPem(privateKey), forge.md.sha256.create())
  const [authority] = parseAuthorities(forge.pki.certificateToPem(certificate))
  if (!authority) throw new Error('the certificate authority just made cannot be read back')
  return { authority, key: privateKey }
}

/**
 * Issues a serving certificate for `names` (DNS) with a new key. It expires after `lifetimeMs`, or with its authority if that is
 * earlier, because a certificate is invalid without its authority.
 *
 * @throws Error if `key` is not the authority's
 */
export async function issueLeaf(options: {
  authority: Authority
  key: string
  names: readonly string[]
  now: number
  lifetimeMs: number
}): Promise<Leaf> {
  const { publicKey, privateKey } = await generateKeyPair('rsa', pemKeys(LEAF_KEY_BITS))
  const issuer = forge.pki.certificateFromPem(options.authority.pem)
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey)
  certificate.serialNumber = randomSerial()
  certificate.validity = validity(options.now, Math.min(options.now + options.lifetimeMs, options.authority.notAfter))
  // A Service's name may exceed the 64 characters of a common name; callers check subjectAltName anyway.
  certificate.setSubject([{ name: 'commonName', value: 'akv-injector webhook' }])
  certificate.setIssuer(issuer.subject.attributes)
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames: options.names.map((value) => ({ type: DNS_NAME, value })) },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: issuer.generateSubjectKeyIdentifier().getBytes() },
  ])
  certificate.sign(forge.pki.privateKeyFromPem(options.key), forge.md.sha256.create())
  const leaf = parseLeaf({
    certificate: forge.pki.certificateToPem(certificate),
    key: privateKey,
    names: options.names,
    authorities: [options.authority],
  })
  if (!leaf) throw new Error('the key in ca.key does not belong to the certificate authority it was used for')
  return leaf
}

/** GeneralName's tag for a DNS name (RFC 5280, 4.2.1.6). */
const DNS_NAME = 2

/** The Services that the API server calls; clusterDomain is `cluster.local` unless given. */
export interface Services {
  names: readonly [string, ...string[]]
  namespace: string
  clusterDomain?: string
}

/** The DNS names under which Services are called; the API server uses `<service>.<namespace>.svc`. */
export function serviceNames({ names, namespace, clusterDomain = 'cluster.local' }: Services): [string, ...string[]] {
  const of = (name: string): [string, ...string[]] => {
    const inCluster = `${name}.${namespace}.svc`
    return [inCluster, `${inCluster}.${clusterDomain}`, `${name}.${namespace}`]
  }
  const [first, ...others] = names
  return [...of(first), ...others.flatMap(of)]
}

function pemKeys(modulusLength: number) {
  return {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  } as const
}

function validity(now: number, notAfter: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(notAfter) }
}

/** 16 random bytes, positive and never shorter: the top bits are 01 (RFC 5280, 4.1.2.2: positive, at most 20 octets). */
function randomSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.toString('hex')
}
