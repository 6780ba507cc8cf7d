import { createHmac } from 'node:crypto'
import forge from 'node-forge'
import { readCertificate, readPrivateKey, type CertifiedKey } from './certificates.ts'
import { RenderFailure } from './rendered.ts'

const { asn1, pki, pkcs12, util } = forge
type Node = forge.asn1.Asn1
/** No password may mean the empty one or none at all, which are different keys to PKCS#12 (RFC 7292, appendix B.1). */
type Password = '' | undefined

/**
 * Opens a PKCS#12 container (RFC 7292) that has no password, as a vault gives it out. node-forge has the ASN.1 and the ciphers; its
 * own reader of containers encodes RSA certificates anew and confuses the two passwords, so the bags are unpacked here.
 * This module loads node-forge: import it where it is needed.
 * @throws {@link RenderFailure} where it is damaged or locked with a password
 */
export function readPkcs12(container: Buffer): CertifiedKey {
  const certified: CertifiedKey = { key: undefined, certificates: [] }
  for (const { kind, content } of unpack(container)) {
    if (kind === 'key') certified.key ??= readPrivateKey(content)
    else certified.certificates.push(readCertificate(content))
  }
  return certified
}

/** A private key in PKCS#8 or a certificate, in DER. */
interface Bag {
  kind: 'key' | 'certificate'
  content: Buffer
}

function unpack(container: Buffer): Bag[] {
  try {
    const [, safe, mac] = children(asn1.fromDer(container.toString('latin1')))
    const content = octets(inside(children(safe)[1]))
    const passwords = (['', undefined] as Password[]).filter((password) => !mac || macHolds(mac, content, password))
    if (passwords.length === 0) throw new Error('its MAC does not hold, so it has a password or is damaged')
    return firstOf(passwords, (password) => safeContents(content, password))
  } catch (cause) {
    throw new RenderFailure(`its PKCS#12 container cannot be opened without a password: ${(cause as Error).message}`)
  }
}

/** The result for the first password that works; the first one's error where none does. */
function firstOf(passwords: Password[], open: (password: Password) => Bag[]): Bag[] {
  try {
    return open(passwords[0])
  } catch (cause) {
    if (passwords.length < 2) throw cause
    try {
      return open(passwords[1])
    } catch {
      throw cause
    }
  }
}

/** MacData (RFC 7292, section 4) over the authenticated safe's content. */
function macHolds(mac: Node, content: string, password: Password): boolean {
  const [digestInfo, salt, iterations] = children(mac)
  const [algorithm, digest] = children(digestInfo)
  const hash = pki.oids[oid(children(algorithm)[0])]
  if (hash !== 'sha1' && hash !== 'sha256' && hash !== 'sha384' && hash !== 'sha512') {
    throw new Error(`the algorithm ${hash ?? 'of its MAC'} is not supported`)
  }
  const md = forge.md[hash].create()
  const rounds = iterations ? asn1.derToInteger(octets(iterations)) : 1
  const saltBuffer = util.createBuffer(octets(salt))
  const key = pkcs12.generateKey(password, saltBuffer, 3, rounds, md.digestLength, md)
  return createHmac(hash, bytes(key)).update(content, 'latin1').digest().toString('latin1') === octets(digest)
}

/** AuthenticatedSafe: contents in the clear or encrypted as a whole, each a sequence of bags. */
function safeContents(content: string, password: Password): Bag[] {
  return children(asn1.fromDer(content)).flatMap((info) => {
    const [type, data] = children(info)
    const bags = oid(type) === pki.oids['data'] ? asn1.fromDer(octets(inside(data))) : decrypt(inside(data), password)
    return children(bags).flatMap((bag) => openBag(bag, password))
  })
}

/** EncryptedData (PKCS#7) differs from an encrypted private key in its wrapping only, and those node-forge decrypts. */
function decrypt(encryptedData: Node | undefined, password: Password): Node {
  const [, algorithm, encrypted] = children(children(encryptedData)[1])
  const content = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, octets(encrypted))
  const wrapped = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [present(algorithm), content])
  return decryptKey(wrapped, password)
}

/** PBES2 takes the password as bytes, to which the empty one and none are the same. */
function decryptKey(wrapped: Node, password: Password): Node {
  const modern = oid(children(children(wrapped)[0])[0]) === pki.oids['pkcs5PBES2']
  const plain = pki.decryptPrivateKeyInfo(wrapped, (modern ? '' : password) as string) as Node | null
  if (plain === null) throw new Error('it has a password')
  return plain
}

/** Bags that are neither keys nor X.509 certificates (revocation lists, secrets) are passed over. */
function openBag(bag: Node, password: Password): Bag[] {
  const [type, value] = children(bag)
  const content = inside(value)
  switch (oid(type)) {
    case pki.oids['keyBag']:
      return [{ kind: 'key', content: der(content) }]
    case pki.oids['pkcs8ShroudedKeyBag']:
      return [{ kind: 'key', content: der(decryptKey(content, password)) }]
    case pki.oids['certBag']: {
      const [format, certificate] = children(content)
      if (oid(format) !== pki.oids['x509Certificate']) return []
      return [{ kind: 'certificate', content: Buffer.from(octets(inside(certificate)), 'latin1') }]
    }
    default:
      return []
  }
}

function present(node: Node | undefined): Node {
  if (node === undefined) throw new Error('it is not built as PKCS#12')
  return node
}

function children(node: Node | undefined): Node[] {
  const { value } = present(node)
  if (typeof value === 'string') throw new Error('it is not built as PKCS#12')
  return value
}

/** The content of an explicit tag. */
const inside = (node: Node | undefined): Node => present(children(node)[0])

/** The bytes of a primitive as a Latin-1 string; BER lets a string come in pieces. */
function octets(node: Node | undefined): string {
  const { value } = present(node)
  return typeof value === 'string' ? value : value.map(octets).join('')
}

const oid = (node: Node | undefined): string => asn1.derToOid(octets(node))
const bytes = (buffer: forge.util.ByteBuffer): Buffer => Buffer.from(buffer.getBytes(), 'latin1')
const der = (node: Node): Buffer => bytes(asn1.toDer(node))
