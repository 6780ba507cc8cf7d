/**
 * The keywords of the object syntax. They are separate from the schema, so that using them does not load the schema
 * library.
 */
export const objectTypes = ['secret', 'key', 'cert'] as const
export type ObjectType = (typeof objectTypes)[number]
export const formats = ['pem', 'pfx', 'truststore'] as const
export const encodings = ['utf-8', 'base64', 'hex'] as const

export const bundleFormats = ['dotenv', 'json', 'yaml', 'properties'] as const
export type BundleFormat = (typeof bundleFormats)[number]

/** Limit of the finds of one pod. */
export const mostFinds = 20
