import { hash, pbkdf2 } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { children, integer, isInteger, octets, oid, type Node } from './asn1.ts'

/**
 * "No password" can mean the empty one or none at all. For PKCS#12 these are different keys (RFC 7292, appendix B.1).
 */
export type Password = '' | undefined

/**
 * Limit of the repetitions of a key derivation, which the creator of a container chooses: usually 2,000, and 600,000 in
 * hardened containers. A million take seconds, during which other work continues.
 */
export const maxIterations = 1_000_000
/**
 * Limit for a container as a whole, which may have any number of parts: a MAC, a key and certificates with the maximum
 * each, tried with both passwords.
 */
const maxOfAll = 8 * maxIterations

/** The repetitions that are left for the keys of one container. */
export class Effort {
  #left = maxOfAll

  /** Returns how often to repeat a derivation that runs `rounds` times. @throws if that exceeds the limit */
  iterationsOf(node: Node | undefined, rounds = 1): number {
    const iterations = Math.max(1, node === undefined ? 1 : integer(node))
    if (iterations > maxIterations) {
      throw new Error(
        `its key derivation is repeated more than ${maxIterations} times; export it again with fewer iterations`,
      )
    }
    this.#left -= iterations * rounds
    if (this.#left < 0) {
      throw new Error(
        `its key derivations are repeated more than ${maxOfAll} times in all; export it again with fewer iterations`,
      )
    }
    return iterations
  }
}

const pseudoRandom: Record<string, string> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
}

/** Returns the hash of an HMAC from its AlgorithmIdentifier (RFC 8018, appendix B.1). */
export function hmacOf(algorithm: Node | undefined): string {
  const id = algorithm === undefined ? '1.2.840.113549.2.7' : oid(children(algorithm)[0])
  const name = pseudoRandom[id]
  if (name === undefined) throw new Error(`the algorithm ${id} of its key derivation is not supported`)
  return name
}

/**
 * Runs PBKDF2 as its AlgorithmIdentifier says (RFC 8018, appendix A.2), off the main thread. The password is given as
 * bytes, so the empty one and none are the same.
 */
export async function deriveByPbkdf2(
  algorithm: Node | undefined,
  length: number | undefined,
  effort: Effort,
): Promise<Buffer> {
  const [id, parameters] = children(algorithm)
  if (oid(id) !== '1.2.840.113549.1.5.12') throw new Error(`the key derivation ${oid(id)} is not supported`)
  const [salt, count, ...rest] = children(parameters)
  const own = rest[0] && isInteger(rest[0]) ? integer(rest.shift()) : undefined
  const wanted = length ?? own
  if (wanted === undefined || wanted < 1 || wanted > 64)
    throw new Error('its key derivation does not say how long the key is')
  return promisify(pbkdf2)('', octets(salt), effort.iterationsOf(count), wanted, hmacOf(rest[0]))
}

/** A password to open a container with. */
export interface Opening {
  password: Password
  effort: Effort
}

/** What a key is derived for (RFC 7292, appendix B.3). */
export const purposes = { key: 1, iv: 2, mac: 3 } as const

/**
 * The key derivation of PKCS#12 itself (RFC 7292, appendix B.2), which OpenSSL has but Node does not expose: native
 * hashes, in portions between which other work runs.
 */
export async function deriveByPkcs12(
  digest: string,
  purpose: keyof typeof purposes,
  { password, effort }: Opening,
  { salt, count, length }: { salt: Buffer; count: Node | undefined; length: number },
): Promise<Buffer> {
  const iterations = effort.iterationsOf(count, Math.ceil(length / hash(digest, '', 'buffer').length))
  const block = digest === 'sha384' || digest === 'sha512' ? 128 : 64
  const diversifier = Buffer.alloc(block, purposes[purpose])
  let input: Buffer = Buffer.concat([filled(salt, block), filled(passwordBytes(password), block)])
  let derived: Buffer = Buffer.alloc(0)
  while (derived.length < length) {
    const round = await repeated(digest, Buffer.concat([diversifier, input]), iterations)
    derived = Buffer.concat([derived, round])
    input = added(input, Buffer.alloc(block, round), block)
  }
  return derived.subarray(0, length)
}

/** Returns UTF-16 with two zero bytes at the end. */
const passwordBytes = (password: Password): Buffer => (password === undefined ? Buffer.alloc(0) : Buffer.from([0, 0]))

/** Repeats bytes up to a multiple of the block. */
const filled = (bytes: Buffer, block: number): Buffer =>
  bytes.length === 0 ? bytes : Buffer.alloc(Math.ceil(bytes.length / block) * block, bytes)

async function repeated(digest: string, data: Buffer, iterations: number): Promise<Buffer> {
  let value = data
  for (let round = 0; round < iterations; round++) {
    value = hash(digest, value, 'buffer')
    if (round % 500 === 499) await setImmediate()
  }
  return value
}

/** Adds the summand and 1 to each block of the input, which is a big-endian number; an overflow is dropped. */
function added(input: Buffer, summand: Buffer, block: number): Buffer {
  const sum = Buffer.from(input)
  for (let end = block; end <= sum.length; end += block) {
    let carry = 1
    for (let index = 1; index <= block; index++) {
      carry += (sum[end - index] as number) + (summand[block - index] as number)
      sum[end - index] = carry & 0xff
      carry >>= 8
    }
  }
  return sum
}
