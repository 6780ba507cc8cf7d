import type { ObjectSpec } from '../../../shared/object-spec.ts'
import { renderObject } from '../../../sidecar/render/render-object.ts'
import type { Rendered } from '../../../sidecar/render/rendered.ts'
import type { Fetched } from '../../../sidecar/vault/vault.ts'

/** An object's specification with every default, as the webhook writes it. */
export const spec = (name: string, fields: Partial<ObjectSpec> = {}): ObjectSpec => ({
  vault: 'https://my-kv.vault.azure.net',
  identity: 0,
  type: 'secret',
  name,
  path: name,
  history: 1,
  format: 'pem',
  encoding: 'utf-8',
  optional: false,
  split: false,
  ...fields,
})

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

/** Files of one version by path. */
export async function filesOf(spec: ObjectSpec, ...versions: Fetched[]): Promise<Record<string, Buffer>> {
  return byPath(await renderObject(spec, versions))
}

export const byPath = ({ files }: Rendered): Record<string, Buffer> =>
  Object.fromEntries(files.map(({ path, content }) => [path, Buffer.from(content)]))
