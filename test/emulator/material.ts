import { createPrivateKey, X509Certificate, type JsonWebKey, type KeyObject } from 'node:crypto'
import forge from 'node-forge'

/** A certificate with what surrounds it. The leaf comes first in `chain`. */
export interface Material {
  key?: KeyObject
  chain: X509Certificate[]
}

const blocks = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g

/** Reads a private key and certificates out of PEM text, in any order. Throws on a key that it cannot read. */
export function readPem(text: string): Material {
  let key: KeyObject | undefined
  const chain: X509Certificate[] = []
  for (const [block, label = ''] of text.matchAll(blocks)) {
    if (label.endsWith('PRIVATE KEY')) key = createPrivateKey(block)
    else if (label === 'CERTIFICATE') chain.push(new X509Certificate(block))
  }
  return leafFirst(key, chain)
}

/**
 * Reads a PKCS#12 container. node-forge opens it, but knows neither EC keys nor their certificates: it leaves their ASN.1,
 * which node:crypto reads. Throws on a wrong password.
 */
export function readPkcs12(der: Buffer, password: string): Material {
  const p12 = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(der.toString('binary')), password)
  const bags = p12.safeContents.flatMap((contents) => contents.safeBags)
  const ofType = (oid: string | undefined) => bags.filter((bag) => bag.type === oid)
  const { pkcs8ShroudedKeyBag, keyBag, certBag } = forge.pki.oids
  const keys = [...ofType(pkcs8ShroudedKeyBag), ...ofType(keyBag)].map((bag) =>
    createPrivateKey({
      key: toDer(bag.key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(bag.key)) : bag.asn1),
      format: 'der',
      type: 'pkcs8',
    }),
  )
  const chain = ofType(certBag).map(
    (bag) => new X509Certificate(toDer(bag.cert ? forge.pki.certificateToAsn1(bag.cert) : bag.asn1)),
  )
  return leafFirst(keys[0], chain)
}

/** A PKCS#12 container with an empty password, as the service makes it. RSA only: node-forge writes nothing else. */
export function writePkcs12({ key, chain }: Material): Buffer {
  const rsa = key ? forge.pki.privateKeyFromPem(pem(key)) : null
  const certificates = chain.map((one) => forge.pki.certificateFromPem(one.toString()))
  const asn1 = forge.pkcs12.toPkcs12Asn1(rsa, certificates, '')
  return toDer(asn1)
}

/** The private key (PKCS#8), then the certificates, leaf first. */
export function writePem({ key, chain }: Material): string {
  return (key ? pem(key) : '') + chain.map((one) => one.toString()).join('')
}

/** The public half of a certificate as the JWK that the key of the same name shows. */
export function publicJwk(certificate: X509Certificate): JsonWebKey {
  return certificate.publicKey.export({ format: 'jwk' })
}

const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()
const toDer = (asn1: forge.asn1.Asn1) => Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'binary')

function leafFirst(key: KeyObject | undefined, chain: X509Certificate[]): Material {
  const leaf = key ? chain.find((one) => one.checkPrivateKey(key)) : chain[0]
  return { ...(key && { key }), chain: leaf ? [leaf, ...chain.filter((one) => one !== leaf)] : chain }
}
