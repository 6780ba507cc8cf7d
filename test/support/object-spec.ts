import type { ObjectRequest, ObjectSpec } from '../../shared/objects/spec.ts'

/** The request for a secret, with every default. */
export const objectRequest = (name: string, fields: Partial<ObjectRequest> = {}): ObjectRequest => ({
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

/** The specification of a secret in the vault `my-kv`, with every default, as the webhook writes it. */
export const objectSpec = (name: string, fields: Partial<ObjectSpec> = {}): ObjectSpec => ({
  vault: 'https://my-kv.vault.azure.net',
  identity: 0,
  ...objectRequest(name),
  ...fields,
})
