import { generateKeyPair as generateKeyPairWithCallback, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import forge from 'node-forge'
import { parseAuthorities, parseLeaf, type Authority, type Leaf } from './x509.ts'

const generateKeyPair = promisify(generateKeyPairWithCallback)

/** Certificates are valid from five minutes before they are made: clocks of API servers may run a little behind ours. */
export const BACKDATE_MS = 5 * 60_000

/** Outlives several rotations, and NIST SP 800-57 asks for 3072 bits beyond 2030. */
const AUTHORITY_KEY_BITS = 3072
/** Lives for weeks, and signs every handshake. */
const LEAF_KEY_BITS = 2048

export interface NewAuthority {
  authority: Authority
  /** PKCS #8 PEM */
  key: string
}

/**
 * Makes a self-signed authority that may sign certificates and nothing else.
 *
 * Its subject and key id are its own, so that two of them in one caBundle are told apart by issuer name (RFC 5280, 4.1.2.4) and
 * by key id (4.2.1.2). `now` and `lifetime` are milliseconds; validity begins BACKDATE_MS before `now`.
 */
export async function createAuthority(options: { now: number; lifetime: number }): Promise<NewAuthority> {
  const { publicKey, privateKey } = await generateKeyPair('rsa', pemKeys(AUTHORITY_KEY_BITS))
  const serialNumber = randomSerial()
  const certificate = forge.pki.createCertificate()
  const name = [{ name: 'commonName', value: `akv-injector CA ${serialNumber.slice(0, 16)}` }]
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey)
  certificate.serialNumber = serialNumber
  certificate.validity = validity(options.now, options.now + options.lifetime)
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
 * Issues a serving certificate for `names` (DNS) with a key of its own. It ends after `lifetime` milliseconds, or with its
 * authority, whichever comes first: a certificate that outlives its authority is worth nothing.
 *
 * @throws Error when `key` is not the authority's
 */
export async function issueLeaf(options: {
  authority: Authority
  key: string
  names: readonly string[]
  now: number
  lifetime: number
}): Promise<Leaf> {
  const { publicKey, privateKey } = await generateKeyPair('rsa', pemKeys(LEAF_KEY_BITS))
  const issuer = forge.pki.certificateFromPem(options.authority.pem)
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey)
  certificate.serialNumber = randomSerial()
  certificate.validity = validity(options.now, Math.min(options.now + options.lifetime, options.authority.notAfter))
  // A common name holds 64 characters at most, which a Service's name may exceed: callers look at subjectAltName anyway.
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
