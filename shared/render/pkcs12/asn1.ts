import forge from 'node-forge'

const { asn1, pki } = forge

/** A node of a DER or BER structure; this module loads node-forge. */
export type Node = forge.asn1.Asn1

export const parseDer = (encoded: Buffer): Node => asn1.fromDer(encoded.toString('latin1'))
export const toDer = (node: Node): Buffer => Buffer.from(asn1.toDer(node).getBytes(), 'latin1')

function present(node: Node | undefined): Node {
  if (node === undefined) throw new Error('it is not built as PKCS#12')
  return node
}

/** Returns the nodes of a sequence or set. */
export function children(node: Node | undefined): Node[] {
  const { value } = present(node)
  if (typeof value === 'string') throw new Error('it is not built as PKCS#12')
  return value
}

/** Returns the content of an explicit tag. */
export const inside = (node: Node | undefined): Node => present(children(node)[0])

/** Returns the bytes of a primitive; in BER, a string may consist of pieces. */
export function octets(node: Node | undefined): Buffer {
  const { value } = present(node)
  return typeof value === 'string' ? Buffer.from(value, 'latin1') : Buffer.concat(value.map(octets))
}

/** Returns an object identifier in dotted form. */
export const oid = (node: Node | undefined): string => asn1.derToOid(octets(node).toString('latin1'))

/** Returns an object identifier by its name, such as `data` or `certBag`, if node-forge knows it. */
export const named = (node: Node | undefined): string => pki.oids[oid(node)] ?? oid(node)

/** Returns a non-negative integer; one that is too large for a number is Infinity. */
export function integer(node: Node | undefined): number {
  const value = Number(`0x${octets(node).toString('hex') || '0'}`)
  return Number.isSafeInteger(value) ? value : Infinity
}

export const isInteger = ({ type }: Node): boolean => type === asn1.Type.INTEGER
