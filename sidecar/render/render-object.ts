import { objectName, type ObjectSpec } from '../../shared/object-spec.ts'
import type { Fetched } from '../vault/vault.ts'
import {
  inOrder,
  keyMatches,
  leafFirst,
  printCertificates,
  printPrivateKey,
  printPublicKey,
  readCertificate,
  readPem,
  type CertifiedKey,
} from './certificates.ts'
import { decodeBase64, decodeSecret } from './decode.ts'
import { RenderFailure, type Rendered } from './rendered.ts'

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
      throw new RenderFailure(`${place}: ${reason(cause)}`)
    }
  }
  return rendered
}

/** Messages of others (a parser's) may quote what they were given, which is secret: only our own are passed on. */
const reason = (cause: unknown): string =>
  cause instanceof RenderFailure ? cause.message : `its content cannot be read (${(cause as Error).name})`

/** The vault as users name it: `my-kv` of `https://my-kv.vault.azure.net`; an address or a lone host as it is. */
const vaultOf = ({ vault }: ObjectSpec): string => new URL(vault).host.replace(/^([a-z][-a-z0-9]{2,23})\..*$/i, '$1')

/** Contents by what follows the path: nothing, `.crt` or `.key`. */
interface Parts {
  files: [suffix: '' | '.crt' | '.key', content: Uint8Array | string][]
  warnings: string[]
}

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

/** A certificate fetched as a secret: with its private key, where the certificate's policy lets it out. */
async function certificateSecret(spec: ObjectSpec, value: string, contentType: string | undefined): Promise<Parts> {
  const pkcs12 = contentType === 'application/x-pkcs12'
  if (!pkcs12 && contentType !== 'application/x-pem-file') {
    throw new RenderFailure(
      `it belongs to a certificate, but its content type is ${contentType ? `"${contentType}"` : 'not set'}, neither application/x-pem-file nor application/x-pkcs12`,
    )
  }
  if (spec.encoding !== 'utf-8' && !(pkcs12 && spec.format === 'pfx')) {
    throw new RenderFailure(
      `encoding ${spec.encoding} is not for a secret that belongs to a certificate, unless it is PKCS#12 with format pfx; leave encoding out`,
    )
  }
  const parts: Parts = { files: [], warnings: [] }
  if (spec.format === 'pfx' && !pkcs12) parts.warnings.push('it is PEM in the vault, and so is its file, despite format pfx') // prettier-ignore
  const verbatim = spec.format === 'pfx' || !pkcs12
  let certified: CertifiedKey | undefined
  try {
    certified = pkcs12 ? (await import('./pkcs12.ts')).readPkcs12(decodeBase64(value)) : readPem(value)
  } catch (cause) {
    if (!verbatim || spec.split) throw cause
    parts.warnings.push(`written as it is, but ${reason(cause)}`)
  }
  parts.files.push(['', verbatim || !certified ? decodeSecret(value, spec.encoding) : keyAndCertificates(certified)])
  if (certified && spec.split) parts.files.push(...splitFiles(certified, spec))
  if (certified) parts.warnings.push(...keyWarnings(certified))
  return parts
}

const keyAndCertificates = (certified: CertifiedKey): string =>
  (certified.key ? printPrivateKey(certified.key) : '') + printCertificates(inOrder(certified))

function splitFiles(certified: CertifiedKey, { optional }: ObjectSpec): Parts['files'] {
  const files: Parts['files'] = [['.crt', printCertificates(leafFirst(certified))]]
  if (certified.key) files.push(['.key', printPrivateKey(certified.key)])
  else if (!optional) {
    throw new RenderFailure(
      `split has no .key to write, because ${noKey}; make the key exportable in the certificate's policy, set optional, or leave split out`,
    )
  }
  return files
}

const noKey = "the vault keeps the certificate's private key (it is not exportable)"

function keyWarnings(certified: CertifiedKey): string[] {
  if (certified.key === undefined) return [`certificates only, because ${noKey}`]
  return keyMatches(certified) ? [] : ['its private key belongs to none of its certificates']
}
