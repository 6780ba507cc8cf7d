import type { ClassReading } from './read-class.ts'

/** A SecretProviderClass of the cluster. */
export interface ClassSpec {
  spec: unknown
  /** The object's uid and resource version: as long as it is the same, so is the `spec`. */
  version?: string
  /** The parsed `spec`, if it was parsed before. */
  reading?: ClassReading
}

/** Size limit of a `spec` in bytes of JSON. */
export const largestSpec = 256 * 1024

/**
 * A SecretProviderClass, or why there is none: no class of that name exists, its `spec` is larger than {@link largestSpec}, or the
 * cluster lacks the CustomResourceDefinition.
 */
export type FoundClass = ClassSpec | 'absent' | 'too-large' | 'unknown-kind'
