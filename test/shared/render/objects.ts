import type { ObjectSpec } from '../../../shared/objects/spec.ts'
import { renderObject } from '../../../shared/render/render-object.ts'
import type { Rendered } from '../../../shared/render/rendered.ts'
import type { Fetched } from '../../../shared/vault/store.ts'

/** A version as the vault gives it. */
export const fetched = (content: Fetched['content'], fields: Partial<Fetched> = {}): Fetched => ({
  type: 'secret' in content ? 'secret' : 'key' in content ? 'key' : 'cert',
  name: 'name',
  version: 'v1',
  attributes: { enabled: true },
  content,
  ...fields,
})

export const secret = (value: string, fields: Partial<Fetched> = {}): Fetched => fetched({ secret: value }, fields)

/** The contents of files by path, as text. */
export const texts = ({ files }: Pick<Rendered, 'files'>): Record<string, string> =>
  Object.fromEntries(files.map(({ path, content }) => [path, Buffer.from(content).toString()]))

/** An object's files as text. */
export const textsOf = async (spec: ObjectSpec, ...versions: Fetched[]): Promise<Record<string, string>> =>
  texts(await renderObject(spec, versions))

const keyId = 'https://my-kv.vault.azure.net/keys/name/v1'

/** A certificate's secret, as the vault gives it for the content type PKCS#12. */
export const pkcs12Secret = (container: Buffer, fields: Partial<Fetched> = {}): Fetched =>
  secret(container.toString('base64'), { keyId, contentType: 'application/x-pkcs12', ...fields })

/** A certificate's secret, as the vault gives it for the content type PEM. */
export const pemSecret = (text: string, fields: Partial<Fetched> = {}): Fetched =>
  secret(text, { keyId, contentType: 'application/x-pem-file', ...fields })
