import forge from 'node-forge'
import { readCertificate, readPrivateKey, type CertifiedKey } from './certificates.ts'
import { RenderFailure } from './rendered.ts'

const { asn1, pki, pkcs12 } = forge

/**
 * Opens a PKCS#12 container without a password, as a vault gives it out. This module loads node-forge: import it where it is needed.
 * @throws {@link RenderFailure} where it is damaged, locked with a password or holds no certificate
 */
export function readPkcs12(container: Buffer): CertifiedKey {
  const certified: CertifiedKey = { key: undefined, certificates: [] }
  for (const bag of openBags(container)) {
    if (bag.type === pki.oids['certBag']) certified.certificates.push(readCertificate(certificateDer(bag)))
    else certified.key ??= readPrivateKey(privateKeyDer(bag))
  }
  if (certified.certificates.length === 0) throw new RenderFailure('its PKCS#12 container holds no certificate')
  return certified
}

/** No password may mean an empty one or none at all, which are different keys to PKCS#12 (RFC 7292, appendix B). */
function openBags(container: Buffer): forge.pkcs12.Bag[] {
  try {
    return bags(parse(container), '')
  } catch (cause) {
    try {
      return withoutPassword(container)
    } catch {
      throw new RenderFailure(`its PKCS#12 container cannot be opened without a password: ${(cause as Error).message}`)
    }
  }
}

/**
 * node-forge checks the MAC first (an Error where it does not hold) and then lacks the password as bytes in PBES2 (a TypeError),
 * to which none and the empty one are the same.
 */
function withoutPassword(container: Buffer): forge.pkcs12.Bag[] {
  try {
    return bags(parse(container), undefined)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    const pfx = parse(container)
    const [version, safe] = pfx.value as forge.asn1.Asn1[]
    return bags({ ...pfx, value: [version, safe] as forge.asn1.Asn1[] }, '')
  }
}

const parse = (container: Buffer): forge.asn1.Asn1 => asn1.fromDer(container.toString('latin1'), false)

const bags = (pfx: forge.asn1.Asn1, password: string | undefined): forge.pkcs12.Bag[] =>
  pkcs12.pkcs12FromAsn1(pfx, false, password).safeContents.flatMap(({ safeBags }) => safeBags)

const der = (node: forge.asn1.Asn1): Buffer => Buffer.from(asn1.toDer(node).getBytes(), 'latin1')

/** node-forge knows RSA only: of anything else a bag has its ASN.1 and `null`. */
const certificateDer = ({ cert, asn1 }: forge.pkcs12.Bag): Buffer => der(cert ? pki.certificateToAsn1(cert) : asn1)

const privateKeyDer = ({ key, asn1 }: forge.pkcs12.Bag): Buffer =>
  der(key ? pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(key)) : asn1)
