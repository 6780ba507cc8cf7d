import { hash, pbkdf2 } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { children, integer, isInteger, octets, oid, type Node } from './asn1.ts'

/** No password may mean the empty one or none at all, which are different keys to PKCS#12 (RFC 7292, appendix B.1). */
export type Password = '' | undefined

/**
 * More repetitions of a key derivation are refused, since whoever puts a container into the vault says how often; usual are 2,000,
 * and 600,000 where somebody was careful. A million take seconds, in which everything else goes on.
 */
export const maxIterations = 1_000_000
/** Of a container as a whole, which may have any number of parts: a MAC, a key and certificates of the most each, tried with both passwords. */
const maxOfAll = 8 * maxIterations

/** What may still be spent on the keys of one container. */
export class Effort {
  #left = maxOfAll

  /** How often to repeat a derivation, `rounds` times over. @throws where that is too much */
  iterationsOf(node: Node | undefined, rounds = 1): number {
    const iterations = Math.max(1, node === undefined ? 1 : integer(node))
    if (iterations > maxIterations) {
      throw new Error(
        `its key derivation is repeated more than ${maxIterations} times; export it anew with fewer iterations`,
      )
    }
    this.#left -= iterations * rounds
    if (this.#left < 0) {
      throw new Error(
        `its key derivations are repeated more than ${maxOfAll} times in all; export it anew with fewer iterations`,
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

/** The hash of an HMAC by its AlgorithmIdentifier (RFC 8018, appendix B.1). */
export function hmacOf(algorithm: Node | undefined): string {
  const id = algorithm === undefined ? '1.2.840.113549.2.7' : oid(children(algorithm)[0])
  const name = pseudoRandom[id]
  if (name === undefined) throw new Error(`the algorithm ${id} of its key derivation is not supported`)
  return name
}

/**
 * PBKDF2 by its AlgorithmIdentifier (RFC 8018, appendix A.2), off the main thread. It takes the password as bytes, to which the empty one
 * and none are the same.
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

/** What a container is opened with. */
export interface Opening {
  password: Password
  effort: Effort
}

/** What a key is derived for (RFC 7292, appendix B.3). */
export const purposes = { key: 1, iv: 2, mac: 3 } as const

/**
 * The key derivation of PKCS#12 itself (RFC 7292, appendix B.2), which OpenSSL has and Node does not give out: native hashes, in
 * portions between which everything else goes on.
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

/** UTF-16 with two zeros at the end. */
const passwordBytes = (password: Password): Buffer => (password === undefined ? Buffer.alloc(0) : Buffer.from([0, 0]))

/** Repeated to a multiple of the block. */
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

/** To each block of the input, a big-endian number, the summand and 1; what overflows is dropped. */
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
