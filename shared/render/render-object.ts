import { objectName, type ObjectSpec } from '../objects/spec.ts'
import type { Fetched } from '../vault/store.ts'
import { certificateForm, certificateSecret, readCertified, type Parts } from './certificate-secret.ts'
import { printCertificates, printPublicKey, readCertificate } from './certificates.ts'
import { decodeSecret } from './decode.ts'
import { reasonOf, RenderFailure, type Rendered } from './rendered.ts'

/**
 * Renders the files of an object. Which bytes get into which file is a contract with users of the Secrets Store CSI
 * driver's Azure provider.
 * @param versions the newest (or the pinned) one first; one, or with `history` above 1 as many as exist
 * @throws {@link RenderFailure} with vault, object, version and what to do
 */
export async function renderObject(spec: ObjectSpec, versions: readonly Fetched[]): Promise<Rendered> {
  const rendered: Rendered = { files: [], warnings: [] }
  for (const [age, version] of versions.slice(0, spec.history).entries()) {
    const path = spec.history > 1 ? `${spec.path}/${age}` : spec.path
    const place = placeOf(spec, version.version)
    try {
      const { files, warnings } = await renderVersion(spec, version)
      for (const [suffix, content] of files) rendered.files.push({ path: path + suffix, content: Buffer.from(content) })
      for (const warning of warnings) rendered.warnings.push(`${place}: ${warning}`)
    } catch (cause) {
      throw new RenderFailure(`${place}: ${reasonOf(cause)}`)
    }
  }
  return rendered
}

/** An object and its version in messages. */
export const placeOf = (spec: ObjectSpec, version = ''): string =>
  `vault ${vaultOf(spec)}, ${objectName(spec)}@${version}`

/**
 * Returns the vault as users name it: `my-kv` for `https://my-kv.vault.azure.net`; an IP address or a single-label host
 * unchanged.
 */
const vaultOf = ({ vault }: ObjectSpec): string => new URL(vault).host.replace(/^([a-z][-a-z0-9]{2,23})\..*$/i, '$1')

const whole = (content: Uint8Array | string): Parts => ({ files: [['', content]], warnings: [] })

async function renderVersion(spec: ObjectSpec, { content, keyId, contentType }: Fetched): Promise<Parts> {
  if ('key' in content) return whole(printPublicKey(content.key))
  if (spec.format === 'truststore') return whole(await truststoreOf(content, contentType))
  if ('certificate' in content) return whole(printCertificates([readCertificate(content.certificate)]))
  if (spec.property !== undefined) return whole(await propertyOf(spec, spec.property, content.secret, keyId))
  if (keyId !== undefined) return certificateSecret(spec, content.secret, contentType)
  const form = certificateForm(contentType)
  // With an encoding and no format, the secret is decoded.
  const isAsked = spec.split || (spec.convert === true && (spec.format === 'pfx' || spec.encoding === 'utf-8'))
  if (form !== undefined && isAsked) return certificateSecret(spec, content.secret, contentType, true)
  if (spec.split) {
    throw new RenderFailure('split is for certificates, and this secret does not belong to one (it has no key id)')
  }
  const warnings =
    form !== undefined && form !== spec.format && spec.encoding === 'utf-8'
      ? [
          `written as it is, although its content type is ${contentType}: set format or split to treat it as a certificate`,
        ]
      : []
  return { ...whole(decodeSecret(content.secret, spec.encoding)), warnings }
}

/** Returns all certificates of a secret, or the certificate, for Java. */
async function truststoreOf(
  content: { secret: string } | { certificate: Uint8Array },
  contentType: string | undefined,
): Promise<Uint8Array> {
  const certificates =
    'certificate' in content
      ? [readCertificate(content.certificate)]
      : (await readCertified(content.secret, certificateForm(contentType) ?? 'pem')).certificates
  const { writeTruststore } = await import('./pkcs12/write-pkcs12.ts')
  return writeTruststore([...new Map(certificates.map((one) => [one.fingerprint256, one])).values()])
}

async function propertyOf(spec: ObjectSpec, property: string, value: string, keyId?: string): Promise<Uint8Array> {
  if (keyId !== undefined)
    throw new RenderFailure(
      'property is for JSON and YAML, and this secret belongs to a certificate; leave property out',
    )
  const { readProperty } = await import('./property.ts')
  return decodeSecret(await readProperty(value, property), spec.encoding)
}
