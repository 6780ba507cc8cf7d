import { createHmac, timingSafeEqual } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { children, inside, named, octets, oid, parseDer, toDer, type Node } from './asn1.ts'
import { checkCount, readCertificate, readPrivateKey, type CertifiedKey } from '../certificates.ts'
import { deriveByPbkdf2, deriveByPkcs12, Effort, hmacOf, type Opening } from './key-derivation.ts'
import { decryptByPassword } from './password-encryption.ts'
import { RenderFailure } from '../rendered.ts'

/**
 * Opens a PKCS#12 container (RFC 7292) without a password, as a vault returns it. node-forge provides the ASN.1. Its
 * own reader of containers re-encodes RSA certificates, confuses the two passwords and derives keys in JavaScript, so
 * the bags are unpacked here, with OpenSSL's hashes and ciphers. This module loads node-forge: import it lazily.
 * @throws {@link RenderFailure} if it is damaged or has a password
 */
export async function readPkcs12(container: Buffer): Promise<CertifiedKey> {
  const certified: CertifiedKey = { key: undefined, certificates: [] }
  for (const { kind, content } of await unpack(container)) {
    if (kind === 'key') certified.key ??= readPrivateKey(content)
    else certified.certificates.push(readCertificate(content))
    checkCount(certified.certificates.length)
  }
  return certified
}

/** A private key in PKCS#8 or a certificate, in DER. */
interface Bag {
  kind: 'key' | 'certificate'
  content: Buffer
}

/** Twice what a vault's secret has space for; node-forge creates an object for every few bytes. */
const mostBytes = 64 * 1024

async function unpack(container: Buffer): Promise<Bag[]> {
  if (container.length > mostBytes) {
    throw new RenderFailure(`its PKCS#12 container has ${container.length} bytes, and at most ${mostBytes} are read`)
  }
  try {
    const [, safe, mac] = children(parseDer(container))
    const content = octets(inside(children(safe)[1]))
    const effort = new Effort()
    const both = [
      { password: '', effort },
      { password: undefined, effort },
    ] as const
    const openings: Openings = mac ? [await openingOf(mac, content, both)] : both
    return await firstOf(openings, (opening) => safeContents(content, opening))
  } catch (cause) {
    throw new RenderFailure(`its PKCS#12 container cannot be opened without a password: ${(cause as Error).message}`)
  }
}

/** The passwords to try, one after the other. */
type Openings = readonly [Opening, Opening?]

/** Returns the result for the first password that works, or throws the error of the first one. */
async function firstOf([first, second]: Openings, open: (opening: Opening) => Promise<Bag[]>): Promise<Bag[]> {
  try {
    return await open(first)
  } catch (cause) {
    if (second === undefined) throw cause
    return open(second).catch(() => {
      throw cause
    })
  }
}

async function openingOf(mac: Node, content: Buffer, openings: readonly Opening[]): Promise<Opening> {
  for (const opening of openings) if (await macHolds(mac, content, opening)) return opening
  throw new Error('its MAC does not hold, so it has a password or is damaged')
}

/** Checks the MacData (RFC 7292, section 4) of the authenticated safe's content. */
async function macHolds(mac: Node, content: Buffer, opening: Opening): Promise<boolean> {
  const [digestInfo, salt, count] = children(mac)
  const [algorithm, digest] = children(digestInfo)
  const { hash, key } = await macKey(algorithm, octets(salt), count, opening)
  const [wanted, made] = [octets(digest), createHmac(hash, key).update(content).digest()]
  return wanted.length === made.length && timingSafeEqual(wanted, made)
}

const hashes: Record<string, [name: string, length: number]> = {
  '1.3.14.3.2.26': ['sha1', 20],
  '2.16.840.1.101.3.4.2.4': ['sha224', 28],
  '2.16.840.1.101.3.4.2.1': ['sha256', 32],
  '2.16.840.1.101.3.4.2.2': ['sha384', 48],
  '2.16.840.1.101.3.4.2.3': ['sha512', 64],
}

/**
 * Computes the MAC with the key derivation of PKCS#12, or with PBMAC1 (RFC 9579), whose parameters contain everything.
 */
async function macKey(algorithm: Node | undefined, salt: Buffer, count: Node | undefined, opening: Opening) {
  const [id, parameters] = children(algorithm)
  if (oid(id) === '1.2.840.113549.1.5.14') {
    const [derivation, hmac] = children(parameters)
    return { hash: hmacOf(hmac), key: await deriveByPbkdf2(derivation, undefined, opening.effort) }
  }
  const known = hashes[oid(id)]
  if (known === undefined) throw new Error(`the algorithm ${named(id)} of its MAC is not supported`)
  const [hash, length] = known
  return { hash, key: await deriveByPkcs12(hash, 'mac', opening, { salt, count, length }) }
}

/** Reads the AuthenticatedSafe: contents in the clear or encrypted as a whole, each a sequence of bags. */
async function safeContents(content: Buffer, opening: Opening): Promise<Bag[]> {
  const bags: Bag[] = []
  for (const info of children(parseDer(content))) {
    const [type, data] = children(info)
    const plain = named(type) === 'data' ? octets(inside(data)) : await decrypt(inside(data), opening)
    for (const bag of children(parseDer(plain))) {
      await setImmediate()
      bags.push(...(await openBag(bag, opening)))
    }
  }
  return bags
}

/** Decrypts EncryptedData (PKCS#7). */
async function decrypt(encryptedData: Node | undefined, opening: Opening): Promise<Buffer> {
  const [, algorithm, encrypted] = children(children(encryptedData)[1])
  return decryptByPassword(algorithm, octets(encrypted), opening)
}

/** Reads the bags; those that are neither keys nor X.509 certificates (revocation lists, secrets) are skipped. */
async function openBag(bag: Node, opening: Opening): Promise<Bag[]> {
  const [type, value] = children(bag)
  const content = inside(value)
  switch (named(type)) {
    case 'keyBag':
      return [{ kind: 'key', content: toDer(content) }]
    case 'pkcs8ShroudedKeyBag': {
      const [algorithm, encrypted] = children(content)
      return [{ kind: 'key', content: await decryptByPassword(algorithm, octets(encrypted), opening) }]
    }
    case 'certBag': {
      const [format, certificate] = children(content)
      return named(format) === 'x509Certificate' ? [{ kind: 'certificate', content: octets(inside(certificate)) }] : []
    }
    default:
      return []
  }
}
