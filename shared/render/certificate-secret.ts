import type { ObjectSpec } from '../objects/spec.ts'
import { inOrder, keyMatches, printCertificates, printPrivateKey, readPem, type CertifiedKey } from './certificates.ts'
import { decodeBase64, decodeSecret } from './decode.ts'
import { reasonOf, RenderFailure } from './rendered.ts'

/** Contents by the suffix to the object's path. */
export interface Parts {
  files: [suffix: '' | '.crt' | '.key' | '.ca.crt', content: Uint8Array | string][]
  warnings: string[]
}

const types: Record<string, 'pem' | 'pfx'> = { 'application/x-pem-file': 'pem', 'application/x-pkcs12': 'pfx' }

/** The form of a certificate in the vault, by content type. */
export const certificateForm = (contentType: string | undefined): 'pem' | 'pfx' | undefined =>
  contentType !== undefined && Object.hasOwn(types, contentType) ? types[contentType] : undefined

/**
 * Renders a certificate that was fetched as a secret: with its private key, if the certificate's policy allows
 * exporting it.
 * @param isPlain whether the secret belongs to no certificate of the vault, so that only its content type says that it
 * contains one
 */
export async function certificateSecret(
  spec: ObjectSpec,
  value: string,
  contentType: string | undefined,
  isPlain = false,
): Promise<Parts> {
  const form = formOf(contentType)
  const converted = form !== spec.format && (form === 'pfx' || spec.convert === true)
  checkEncoding(spec, form, converted)
  const warnings: string[] = []
  if (form === 'pem' && spec.format === 'pfx' && !converted)
    warnings.push('it is PEM in the vault, and so is its file, despite format pfx')
  const certified = await readCertified(value, form).catch((cause: unknown) => {
    if (converted || spec.split) throw new RenderFailure(`${reasonOf(cause)}; ${remedy}`)
    warnings.push(`written as it is, but ${reasonOf(cause)}`)
    return undefined
  })
  const noKey = isPlain ? 'it holds no private key' : notExportable
  if (certified) warnings.push(...keyWarnings(certified, noKey))
  const whole = converted && certified ? await convert(certified, spec) : decodeSecret(value, spec.encoding)
  return {
    files: [['', whole], ...(certified && spec.split ? await splitFiles(certified, spec, noKey) : [])],
    warnings,
  }
}

const remedy = 'import the certificate into the vault again, without a password'

function formOf(contentType: string | undefined): 'pem' | 'pfx' {
  const form = certificateForm(contentType)
  if (form !== undefined) return form
  const shown = contentType ? `"${contentType}"` : 'not set'
  throw new RenderFailure(
    `it belongs to a certificate, but its content type is ${shown}, neither application/x-pem-file nor application/x-pkcs12`,
  )
}

function checkEncoding({ encoding, format }: ObjectSpec, form: 'pem' | 'pfx', converted: boolean): void {
  if (encoding === 'utf-8' || (format === 'pfx' && (form === 'pfx' || (converted && encoding === 'base64')))) return
  throw new RenderFailure(
    `encoding ${encoding} is not for a secret that belongs to a certificate, unless it is PKCS#12 with format pfx; leave encoding out`,
  )
}

/** Reads the certificates of a secret, at least one. node-forge is loaded with the first container. */
export async function readCertified(value: string, form: 'pem' | 'pfx'): Promise<CertifiedKey> {
  const certified =
    form === 'pfx' ? await (await import('./pkcs12/pkcs12.ts')).readPkcs12(decodeBase64(value)) : readPem(value)
  if (certified.certificates.length === 0) throw new RenderFailure('it holds no certificate')
  return certified
}

/** Returns PEM as text; PKCS#12 as base64 text, like a vault, or in binary with encoding base64. */
async function convert(
  { key, certificates }: CertifiedKey,
  { format, encoding }: ObjectSpec,
): Promise<Buffer | string> {
  const ordered = await inOrder({ key, certificates })
  if (format !== 'pfx') return (key ? printPrivateKey(key) : '') + printCertificates(ordered)
  const { writePkcs12 } = await import('./pkcs12/write-pkcs12.ts')
  const container = await writePkcs12({ key, certificates: ordered })
  return encoding === 'base64' ? container : container.toString('base64')
}

async function splitFiles(certified: CertifiedKey, { optional }: ObjectSpec, noKey: string): Promise<Parts['files']> {
  const ordered = await inOrder(certified)
  const files: Parts['files'] = [['.crt', printCertificates(ordered)]]
  if (certified.key) files.push(['.key', printPrivateKey(certified.key)])
  else if (!optional) {
    throw new RenderFailure(
      `split has no .key to write, because ${noKey}; ${noKey === notExportable ? "make the key exportable in the certificate's policy, " : ''}set optional, or leave split out`,
    )
  }
  if (ordered.length > 1) files.push(['.ca.crt', printCertificates(ordered.slice(1))])
  return files
}

const notExportable = "the vault keeps the certificate's private key (it is not exportable)"

function keyWarnings(certified: CertifiedKey, noKey: string): string[] {
  if (certified.key === undefined) return [`certificates only, because ${noKey}`]
  return keyMatches(certified) ? [] : ['its private key belongs to none of its certificates']
}
