import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { opensslBytes } from './openssl.ts'

/** Kinds of private keys, and how `openssl genpkey` creates them. */
export const kinds = {
  'RSA 2048': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  'RSA 4096': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:4096'],
  'P-256': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'P-384': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  'P-521': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
} as const
export type Kind = keyof typeof kinds

/** A leaf with its issuers, each as a PEM text. */
export interface Chain {
  /** PKCS#8. */
  key: string
  /** Leaf to root. */
  certificates: string[]
}

/** How OpenSSL wraps a chain. */
export interface Wrapping {
  /** 3DES and RC2 with a SHA-1 MAC, instead of AES-256 with a SHA-256 MAC. */
  legacy?: boolean
  named?: boolean
  /** Further arguments of `openssl pkcs12 -export`. */
  arguments?: string[]
}

// Ignores the machine's own openssl.cnf, whose extensions differ between distributions.
const config = `
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[signing-ca]
basicConstraints = critical, CA:TRUE
keyUsage = digitalSignature
subjectKeyIdentifier = hash
[serial-leaf]
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid, issuer:always
[leaf]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[bare-ca]
basicConstraints = critical, CA:TRUE
subjectKeyIdentifier = none
authorityKeyIdentifier = none
[bare-leaf]
subjectAltName = DNS:localhost
subjectKeyIdentifier = none
authorityKeyIdentifier = none
`

/**
 * Creates keys, certificates and PKCS#12 containers with the machine's OpenSSL in the test's own folder; keys are
 * created once.
 */
export class Pki {
  readonly #folder: string
  readonly #keys = new Map<string, string>()
  #files = 0

  constructor(t: Pick<Test, 'testdir'>) {
    this.#folder = t.testdir()
    mkdirSync(this.#folder, { recursive: true })
  }

  /** See {@link opensslBytes}. */
  readonly openssl = opensslBytes

  /** Writes a file for OpenSSL to read and returns its path. */
  file(content: string | Uint8Array, name = `file-${++this.#files}`): string {
    const path = join(this.#folder, name)
    writeFileSync(path, content)
    return path
  }

  /** The PKCS#8 PEM of a private key, the same one for each name. */
  key(kind: Kind, name = ''): string {
    const id = `${kind} ${name}`
    let key = this.#keys.get(id)
    if (key === undefined) this.#keys.set(id, (key = this.openssl('genpkey', ...kinds[kind]).toString()))
    return key
  }

  /** A certificate for the key, by itself or by the issuer. */
  certificate(
    subject: string,
    key: string,
    section: 'ca' | 'leaf' | 'bare-ca' | 'bare-leaf' | 'signing-ca' | 'serial-leaf',
    issuer?: { certificate: string; key: string },
    ...more: string[]
  ): string {
    const by = issuer ? ['-CA', this.file(issuer.certificate), '-CAkey', this.file(issuer.key)] : []
    const settings = ['-config', this.file(config, 'openssl.cnf'), '-extensions', section, '-subj', `/CN=${subject}`]
    return this.openssl(
      'req',
      '-x509',
      '-new',
      '-days',
      '7',
      '-key',
      this.file(key),
      ...settings,
      ...by,
      ...more,
    ).toString()
  }

  /** Creates a leaf with the key's kind below `length - 1` certificate authorities; with length 1 it is self-signed. */
  chain(kind: Kind, length: number, sections: 'named' | 'bare' = 'named'): Chain {
    const [ca, end] = sections === 'bare' ? (['bare-ca', 'bare-leaf'] as const) : (['ca', 'leaf'] as const)
    const authorities = kind.startsWith('RSA') ? 'RSA 2048' : 'P-256'
    const certificates: string[] = []
    let issuer: { certificate: string; key: string } | undefined
    for (let level = length - 1; level > 0; level--) {
      const key = this.key(authorities, `authority ${level}`)
      issuer = { key, certificate: this.certificate(`Authority ${level} of ${length}`, key, ca, issuer) }
      certificates.unshift(issuer.certificate)
    }
    const key = this.key(kind)
    return { key, certificates: [this.certificate(`${kind} of ${length}`, key, end, issuer), ...certificates] }
  }

  /** A PKCS#12 container with an empty password. OpenSSL puts the key's certificate first, the others keep their order. */
  pkcs12({ key, certificates }: { key?: string; certificates: string[] }, wrapping: Wrapping = {}): Buffer {
    const path = this.file('')
    const owner = key === undefined ? ['-nokeys'] : ['-inkey', this.file(key)]
    const names = wrapping.named
      ? ['-name', 'Web TLS (ünï)', ...certificates.flatMap((_, index) => ['-caname', `Authority ${index}`])]
      : []
    const rest = [...(wrapping.legacy ? ['-legacy'] : []), ...names, ...(wrapping.arguments ?? [])]
    const input = ['-in', this.file(certificates.join(''))]
    this.openssl('pkcs12', '-export', ...owner, ...input, '-passout', 'pass:', ...rest, '-out', path)
    return readFileSync(path)
  }
}
