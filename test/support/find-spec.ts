import type { FindRequest, FindSpec } from '../../shared/objects/find.ts'
import { vaultUrl } from './settings.ts'

/** The request for all secrets, with every default. */
export const findRequest = (fields: Partial<FindRequest> = {}): FindRequest => ({
  type: 'secret',
  name: '*',
  tags: {},
  path: '{name}',
  format: 'pem',
  encoding: 'utf-8',
  optional: false,
  split: false,
  ...fields,
})

/** A find in the vault `my-kv`, as the webhook writes it. */
export const findSpec = (fields: Partial<FindSpec> = {}): FindSpec => ({
  vault: vaultUrl('my-kv'),
  identity: 0,
  ...findRequest(),
  ...fields,
})

/** The settings' field, with the administrator's default limits. */
export const findsOf = (...finds: Partial<FindSpec>[]) => ({
  maxPages: 200,
  maxMatches: 100,
  finds: finds.map(findSpec),
})
