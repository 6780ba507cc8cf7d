import type { SecretClientOptions } from '@azure/keyvault-secrets'
import type { Attributes, Fetched } from '../store.ts'

/** What the SDK's clients of all three types are made with. */
export type ClientOptions = Omit<SecretClientOptions, 'serviceVersion'> & { serviceVersion: string }

/** The objects of one type of one vault, as the SDK's client of that type knows them. */
export interface Objects {
  list(): AsyncIterable<Listed>
  get(name: string, version: string | undefined): Promise<Got>
  versions(name: string): AsyncIterable<Listed>
}

export interface Listed {
  name: string
  version: string | undefined
  attributes: Attributes
  tags?: Readonly<Record<string, string>>
}

export type Got = Omit<Listed, 'tags'> & Pick<Fetched, 'content' | 'contentType' | 'keyId'>

/** Thrown for a body that is JSON, but not an object's; says what is missing, never what is there. */
export class Incomplete extends Error {
  override name = 'Incomplete'
}

/** Thrown for a certificate that its issuer has not signed yet. */
export class InCreation extends Error {
  override name = 'InCreation'
}

/** Thrown for a version that is disabled; of secrets, the service refuses it by itself. */
export class Disabled extends Error {
  override name = 'Disabled'
}

/** What the SDK's three kinds of properties have in common. */
export interface Properties {
  name?: string
  version?: string
  tags?: Record<string, string>
  enabled?: boolean
  createdOn?: Date
  updatedOn?: Date
  expiresOn?: Date
  notBefore?: Date
  x509Thumbprint?: Uint8Array
}

export function listed(properties: Properties): Listed {
  const { name, version, tags, enabled = true, createdOn, updatedOn, expiresOn, notBefore, x509Thumbprint } = properties
  if (!name) throw new Incomplete('an item has no name')
  const attributes: Attributes = {
    enabled,
    ...seconds('created', createdOn),
    ...seconds('updated', updatedOn),
    ...seconds('expires', expiresOn),
    ...seconds('notBefore', notBefore),
    ...(x509Thumbprint && { thumbprint: Buffer.from(x509Thumbprint).toString('base64url') }),
  }
  return { name, version, attributes, ...(tags && { tags }) }
}

/** Nothing for a number beyond the range of dates, which the SDK makes an invalid one of. */
const seconds = (name: 'created' | 'updated' | 'expires' | 'notBefore', date: Date | undefined): Partial<Attributes> =>
  date && !Number.isNaN(date.getTime()) ? { [name]: Math.floor(date.getTime() / 1000) } : {}

export async function* mapped(items: AsyncIterable<Properties>): AsyncIterable<Listed> {
  for await (const properties of items) yield listed(properties)
}
