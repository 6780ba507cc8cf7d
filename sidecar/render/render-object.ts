import { objectName, type ObjectSpec } from '../../shared/object-spec.ts'
import type { Fetched } from '../vault/vault.ts'
import { certificateSecret, type Parts } from './certificate-secret.ts'
import { printCertificates, printPublicKey, readCertificate } from './certificates.ts'
import { decodeSecret } from './decode.ts'
import { reasonOf, RenderFailure, type Rendered } from './rendered.ts'

/**
 * Makes the files of an object: which bytes land where is the contract with users of the Secrets Store CSI driver's Azure provider.
 * @param versions the newest (or the pinned one) first; one, or with `history` above 1 as many as there are
 * @throws {@link RenderFailure} with vault, object, version and what to do
 */
export async function renderObject(spec: ObjectSpec, versions: readonly Fetched[]): Promise<Rendered> {
  const rendered: Rendered = { files: [], warnings: [] }
  for (const [age, version] of versions.slice(0, spec.history).entries()) {
    const path = spec.history > 1 ? `${spec.path}/${age}` : spec.path
    const place = `vault ${vaultOf(spec)}, ${objectName(spec)}@${version.version}`
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

/** The vault as users name it: `my-kv` of `https://my-kv.vault.azure.net`; an address or a lone host as it is. */
const vaultOf = ({ vault }: ObjectSpec): string => new URL(vault).host.replace(/^([a-z][-a-z0-9]{2,23})\..*$/i, '$1')

const whole = (content: Uint8Array | string): Parts => ({ files: [['', content]], warnings: [] })

async function renderVersion(spec: ObjectSpec, { content, keyId, contentType }: Fetched): Promise<Parts> {
  if ('key' in content) return whole(printPublicKey(content.key))
  if ('certificate' in content) return whole(printCertificates([readCertificate(content.certificate)]))
  if (keyId !== undefined) return certificateSecret(spec, content.secret, contentType)
  if (spec.split) {
    throw new RenderFailure('split is for certificates, and this secret does not belong to one (it has no key id)')
  }
  return whole(decodeSecret(content.secret, spec.encoding))
}
