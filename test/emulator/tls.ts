import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import forge from 'node-forge'

/** A certificate (PEM, the chain may follow) and its private key (PEM). */
export interface Pair {
  cert: string
  key: string
}

export interface CertificateOptions {
  /** DNS names (wildcards allowed) and IP addresses; the first is the common name. */
  names?: string[]
  from?: Date
  to?: Date
}

/** A certificate authority that lives as long as the process. */
export interface Authority {
  /** The CA's certificate (PEM). */
  readonly ca: string
  /** A server certificate with a fresh RSA key, signed by this authority. */
  issue(options?: CertificateOptions): Pair
}

const day = 24 * 3600 * 1000

/** A fresh certificate authority; `now` (milliseconds) places the default validity of everything it issues. */
export function makeAuthority({ now = Date.now, commonName = 'Key Vault emulator CA' } = {}): Authority {
  const { pair, certificate, key } = make({ names: [commonName] }, now())
  return {
    ca: pair.cert,
    issue: (options = {}) => make(options, now(), { certificate, key }).pair,
  }
}

type Issuer = { certificate: forge.pki.Certificate; key: forge.pki.rsa.PrivateKey }

/** A certificate signed by `issuer`, or a self-signed CA without one. RSA, because node-forge signs nothing else. */
function make(options: CertificateOptions, now: number, issuer?: Issuer) {
  const names = options.names ?? ['localhost']
  const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const key = forge.pki.privateKeyFromPem(privateKey.export({ type: 'pkcs1', format: 'pem' }).toString())
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.setRsaPublicKey(key.n, key.e)
  // The first digit keeps the serial positive (RFC 5280, 4.1.2.2) and without needless zeros, which node-forge would write and
  // OpenSSL refuses.
  certificate.serialNumber = `4${randomBytes(16).toString('hex').slice(1)}`
  certificate.validity.notBefore = options.from ?? new Date(now - day)
  certificate.validity.notAfter = options.to ?? new Date(now + 30 * day)
  certificate.setSubject([{ name: 'commonName', value: names[0] ?? '' }])
  certificate.setIssuer(issuer?.certificate.subject.attributes ?? certificate.subject.attributes)
  certificate.setExtensions(issuer ? leafExtensions(names) : [{ name: 'basicConstraints', cA: true, critical: true }])
  certificate.sign(issuer?.key ?? key, forge.md.sha256.create())
  const pair: Pair = {
    cert: forge.pki.certificateToPem(certificate),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
  return { pair, certificate, key }
}

const leafExtensions = (names: string[]) => [
  { name: 'basicConstraints', cA: false },
  { name: 'extKeyUsage', serverAuth: true },
  {
    name: 'subjectAltName',
    altNames: names.map((name) => (isIP(name) ? { type: 7, ip: name } : { type: 2, value: name })),
  },
]
