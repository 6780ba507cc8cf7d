import { objectTypes, type ObjectType } from '../objects/formats.ts'

/** An object in a vault, as sessions name it. */
export interface WatchedObject {
  /** The vault's URL, without a slash at its end. */
  vault: string
  type: ObjectType
  /** In lower case: vaults compare names without regard to case. Or {@link everyObject}. */
  name: string
}

/**
 * Stands for the list of all objects of a type, in place of a name: finds select from it. Its version is the digest of the list, so
 * that a program that may not list the vault cannot name one that exists.
 */
export const everyObject = '*'

/** Returns how sessions name what a program reads. */
export const watchedObject = ({ vault, type, name }: WatchedObject): WatchedObject => ({
  vault: vault.toLowerCase().replace(/\/$/, ''),
  type,
  name: name.toLowerCase(),
})

/** Identifies an object. */
export const objectKey = ({ vault, type, name }: WatchedObject): string => `${vault} ${type} ${name}`

/** Identifies what one LIST shows. */
export const groupKey = ({ vault, type }: Pick<WatchedObject, 'vault' | 'type'>): string => `${vault} ${type}`

const vaultPattern = /^https:\/\/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:\d{1,5})?$/
const namePattern = /^[0-9a-z-]{1,127}$/
const versionPattern = /^[0-9a-zA-Z-]{1,64}$/

export const isVault = (value: unknown): value is string => typeof value === 'string' && vaultPattern.test(value)
export const isType = (value: unknown): value is ObjectType => (objectTypes as readonly unknown[]).includes(value)
export const isName = (value: unknown): value is string => typeof value === 'string' && namePattern.test(value)
export const isVersion = (value: unknown): value is string => typeof value === 'string' && versionPattern.test(value)

/** Whether a value is an integer from 0 to `most`. */
export const isCount = (value: unknown, most = Number.MAX_SAFE_INTEGER): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most
