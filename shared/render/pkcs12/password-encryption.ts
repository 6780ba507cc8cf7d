import { createDecipheriv } from 'node:crypto'
import forge from 'node-forge'
import { children, octets, oid, type Node } from './asn1.ts'
import { deriveByPbkdf2, deriveByPkcs12, type Effort, type Opening } from './key-derivation.ts'

/**
 * The ciphers of PBES2 by OpenSSL's names, with the length of their keys in bytes (RFC 8018, appendix B.2; RFC 3565).
 */
const modern: Record<string, [cipher: string, key: number]> = {
  '2.16.840.1.101.3.4.1.2': ['aes-128-cbc', 16],
  '2.16.840.1.101.3.4.1.22': ['aes-192-cbc', 24],
  '2.16.840.1.101.3.4.1.42': ['aes-256-cbc', 32],
  '1.2.840.113549.3.7': ['des-ede3-cbc', 24],
}

/** The ciphers of PKCS#12 itself, all with SHA-1 and an initialization vector of 8 bytes (RFC 7292, appendix C). */
const old: Record<string, [cipher: string, key: number]> = {
  '1.2.840.113549.1.12.1.3': ['des-ede3-cbc', 24],
  '1.2.840.113549.1.12.1.4': ['des-ede-cbc', 16],
  '1.2.840.113549.1.12.1.5': ['rc2', 16],
  '1.2.840.113549.1.12.1.6': ['rc2', 5],
}

/** Decrypts data that was encrypted with a password, as its AlgorithmIdentifier says. */
export async function decryptByPassword(
  algorithm: Node | undefined,
  encrypted: Buffer,
  opening: Opening,
): Promise<Buffer> {
  const [id, parameters] = children(algorithm)
  if (oid(id) === '1.2.840.113549.1.5.13') return decryptByPbes2(parameters, encrypted, opening.effort)
  const [cipher, length] = known(old, oid(id))
  const [salt, count] = children(parameters)
  const derive = (purpose: 'key' | 'iv', length: number) =>
    deriveByPkcs12('sha1', purpose, opening, { salt: octets(salt), count, length })
  return decipher(cipher, await derive('key', length), await derive('iv', 8), encrypted)
}

async function decryptByPbes2(parameters: Node | undefined, encrypted: Buffer, effort: Effort): Promise<Buffer> {
  const [derivation, scheme] = children(parameters)
  const [id, iv] = children(scheme)
  const [cipher, length] = known(modern, oid(id))
  return decipher(cipher, await deriveByPbkdf2(derivation, length, effort), octets(iv), encrypted)
}

function known(ciphers: Record<string, [string, number]>, id: string): [string, number] {
  const cipher = Object.hasOwn(ciphers, id) ? ciphers[id] : undefined
  if (cipher === undefined) throw new Error(`its encryption (${id}) is not supported`)
  return cipher
}

function decipher(cipher: string, key: Buffer, iv: Buffer, encrypted: Buffer): Buffer {
  if (cipher === 'rc2') return decipherRc2(key, iv, encrypted)
  // OpenSSL's default provider has the cipher with two keys only in the form with three.
  const [name, whole] =
    cipher === 'des-ede-cbc' ? ['des-ede3-cbc', Buffer.concat([key, key.subarray(0, 8)])] : [cipher, key]
  try {
    const stream = createDecipheriv(name, whole, iv)
    return Buffer.concat([stream.update(encrypted), stream.final()])
  } catch {
    throw new Error('it has a password')
  }
}

/** OpenSSL 3 has this cipher in its legacy provider, which Node does not load. */
function decipherRc2(key: Buffer, iv: Buffer, encrypted: Buffer): Buffer {
  const cipher = forge.rc2.createDecryptionCipher(key.toString('latin1'), key.length * 8)
  cipher.start(iv.toString('latin1'))
  cipher.update(forge.util.createBuffer(encrypted.toString('latin1')))
  if (!cipher.finish()) throw new Error('it has a password')
  return Buffer.from(cipher.output.getBytes(), 'latin1')
}
