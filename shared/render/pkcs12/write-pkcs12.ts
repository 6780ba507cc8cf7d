import { createCipheriv, createHash, createHmac, pbkdf2, type X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import forge from 'node-forge'
import type { CertifiedKey } from '../certificates.ts'
import { toDer, type Node } from './asn1.ts'
import { deriveByPkcs12, Effort } from './key-derivation.ts'

const { asn1 } = forge

/** The number of OpenSSL's default; with an empty password more would protect nothing. */
const iterations = 2048

const ids = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  keyBag: '1.2.840.113549.1.12.10.1.2',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  x509: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  hmacSha256: '1.2.840.113549.2.9',
  aes256: '2.16.840.1.101.3.4.1.42',
  sha256: '2.16.840.1.101.3.4.2.1',
  trustedKeyUsage: '2.16.840.1.113894.746875.1.1',
  anyKeyUsage: '2.5.29.37.0',
} as const

const { SEQUENCE, SET, OCTETSTRING, INTEGER, OID, NULL, BMPSTRING } = asn1.Type
const universal = (type: number, value: string | Node[]): Node =>
  asn1.create(asn1.Class.UNIVERSAL, type, Array.isArray(value), value)
const sequence = (...nodes: Node[]): Node => universal(SEQUENCE, nodes)
const set = (...nodes: Node[]): Node => universal(SET, nodes)
const octetString = (bytes: Buffer): Node => universal(OCTETSTRING, bytes.toString('latin1'))
const integerOf = (value: number): Node => universal(INTEGER, asn1.integerToDer(value).getBytes())
const id = (name: keyof typeof ids): Node => universal(OID, asn1.oidToDer(ids[name]).getBytes())
const tagged = (constructed: boolean, value: string | Node[]): Node =>
  asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, constructed, value)
const explicit = (node: Node): Node => tagged(true, [node])
const attribute = (name: keyof typeof ids, value: Node): Node => sequence(id(name), set(value))

/**
 * Writes a PKCS#12 container (RFC 7292) with an empty password, like a vault: with AES-256 and SHA-256, like OpenSSL 3.
 * The same key and certificates yield the same bytes, so that reading them again does not change the file. This module
 * loads node-forge: import it lazily.
 * @param certificates the key's own first
 */
export async function writePkcs12({ key, certificates }: CertifiedKey): Promise<Buffer> {
  const keyDer = key?.export({ type: 'pkcs8', format: 'der' }) as Buffer | undefined
  const saltOf = salts([...(keyDer ? [keyDer] : []), ...certificates.map(({ raw }) => raw)])
  const [own] = certificates
  const link = keyDer && own?.checkPrivateKey(key as CertifiedKey['key'] & object) ? [localKeyId(own)] : []
  const bags = certificates.map((one) => certificateBag(one, one === own ? link : []))
  const contents = [await encryptedContent(toDer(sequence(...bags)), saltOf)]
  if (keyDer) {
    const { algorithm, encrypted } = await encrypt(keyDer, saltOf('key'))
    const bag = sequence(id('keyBag'), explicit(sequence(algorithm, octetString(encrypted))), ...attributes(link))
    contents.push(dataContent(toDer(sequence(bag))))
  }
  const safe = toDer(sequence(...contents))
  const [salt] = saltOf('mac')
  const count = integerOf(iterations)
  const opening = { password: '', effort: new Effort() } as const
  const macKey = await deriveByPkcs12('sha256', 'mac', opening, { salt, count, length: 32 })
  const digest = createHmac('sha256', macKey).update(safe).digest()
  const digestInfo = sequence(sequence(id('sha256'), universal(NULL, '')), octetString(digest))
  return toDer(sequence(integerOf(3), dataContent(safe), sequence(digestInfo, octetString(salt), count)))
}

/**
 * Writes certificates as a Java truststore: PKCS#12 without encryption and MAC, which Java opens with any password or
 * none. Java trusts a certificate only if it has the attribute {@link ids.trustedKeyUsage}.
 * {@link https://docs.oracle.com/en/java/javase/21/security/java-pki-programmers-guide.html}
 */
export function writeTruststore(certificates: readonly X509Certificate[]): Buffer {
  const bags = certificates.map((one, index) =>
    certificateBag(one, [
      attribute('friendlyName', universal(BMPSTRING, `ca-${index + 1}`)),
      attribute('trustedKeyUsage', id('anyKeyUsage')),
    ]),
  )
  return toDer(sequence(integerOf(3), dataContent(toDer(sequence(dataContent(toDer(sequence(...bags))))))))
}

type Salt = [salt: Buffer, iv: Buffer]

/** Returns a salt that differs between purposes and contents, but not between two runs. */
function salts(contents: readonly Buffer[]): (purpose: string) => Salt {
  const secret = createHash('sha256')
  for (const content of contents) secret.update(content)
  const key = secret.digest()
  return (purpose) => {
    const bytes = createHmac('sha256', key).update(purpose).digest()
    return [bytes.subarray(0, 16), bytes.subarray(16)]
  }
}

const localKeyId = ({ raw }: X509Certificate): Node =>
  attribute('localKeyId', octetString(createHash('sha1').update(raw).digest()))

const attributes = (list: Node[]): Node[] => (list.length > 0 ? [set(...list)] : [])

const certificateBag = ({ raw }: X509Certificate, list: Node[]): Node =>
  sequence(id('certificateBag'), explicit(sequence(id('x509'), explicit(octetString(raw)))), ...attributes(list))

const dataContent = (content: Buffer): Node => sequence(id('data'), explicit(octetString(content)))

async function encryptedContent(content: Buffer, saltOf: (purpose: string) => Salt): Promise<Node> {
  const { algorithm, encrypted } = await encrypt(content, saltOf('certificates'))
  const info = sequence(id('data'), algorithm, tagged(false, encrypted.toString('latin1')))
  return sequence(id('encryptedData'), explicit(sequence(integerOf(0), info)))
}

/** Encrypts with PBES2 (RFC 8018) and an empty password. */
async function encrypt(content: Buffer, [salt, iv]: Salt): Promise<{ algorithm: Node; encrypted: Buffer }> {
  const key = await promisify(pbkdf2)('', salt, iterations, 32, 'sha256')
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const encrypted = Buffer.concat([cipher.update(content), cipher.final()])
  const hmac = sequence(id('hmacSha256'), universal(NULL, ''))
  const derivation = sequence(id('pbkdf2'), sequence(octetString(salt), integerOf(iterations), hmac))
  return {
    algorithm: sequence(id('pbes2'), sequence(derivation, sequence(id('aes256'), octetString(iv)))),
    encrypted,
  }
}
