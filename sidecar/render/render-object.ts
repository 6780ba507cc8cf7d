import { objectName, type ObjectSpec } from '../../shared/object-spec.ts'
import type { Fetched } from '../vault/vault.ts'
import { decodeSecret } from './decode.ts'
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
    const place = `vault ${vaultOf(spec)}, ${objectName(spec)}, version ${version.version}`
    try {
      const { files, warnings } = await renderVersion(spec, version)
      for (const [suffix, content] of files) rendered.files.push({ path: path + suffix, content })
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

/** The vault as users name it: `my-kv` of `https://my-kv.vault.azure.net`. */
const vaultOf = ({ vault }: ObjectSpec): string => vault.replace(/^https:\/\//, '').replace(/\..*$/, '')

/** Contents by what follows the path: nothing, `.crt` or `.key`. */
export interface Parts {
  files: [suffix: '' | '.crt' | '.key', content: Uint8Array][]
  warnings: string[]
}

async function renderVersion(spec: ObjectSpec, version: Fetched): Promise<Parts> {
  if ('secret' in version.content && version.keyId === undefined) return plainSecret(spec, version.content.secret)
  throw new RenderFailure(`${version.type} of this kind cannot be rendered yet`)
}

function plainSecret({ encoding, split }: ObjectSpec, value: string): Parts {
  if (split) {
    throw new RenderFailure('split is for certificates, and this secret does not belong to one (it has no key id)')
  }
  return { files: [['', decodeSecret(value, encoding)]], warnings: [] }
}
