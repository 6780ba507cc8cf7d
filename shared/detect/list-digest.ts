import { hash } from 'node:crypto'
import type { ListedObject } from '../vault/store.ts'

/**
 * Identifies what a list of a vault shows that finds select by: the names and tags of all objects. Only a program that may list the
 * vault can know it.
 */
export class ListDigest {
  /** The sum of the objects' hashes, so that their order in the list does not matter. */
  readonly #sum = new Uint32Array(8)

  add({ name, tags }: ListedObject): void {
    const text = JSON.stringify([name.toLowerCase(), Object.entries(tags).toSorted()])
    const digest = hash('sha256', text, 'buffer')
    for (const place of this.#sum.keys()) this.#sum[place]! += digest.readUInt32LE(place * 4)
  }

  /** 64 hexadecimal digits. */
  toString(): string {
    return Buffer.from(this.#sum.buffer).toString('hex')
  }
}
