import { Type, type Static } from 'typebox'
import { encodings, formats, objectTypes } from './object-spec.ts'

/** A Key Vault object that a pod gets, with every default filled in. */
export const ObjectSpec = Type.Object(
  {
    /** The vault's URL, without a trailing slash. */
    vault: Type.String({ pattern: '^https://[^/]+$' }),
    /** Index into the settings' identities: who asks for it. */
    identity: Type.Integer({ minimum: 0 }),
    type: Type.Enum(objectTypes),
    name: Type.String({ pattern: '^[0-9a-zA-Z-]{1,127}$' }),
    /** A version's id; such an object is fetched once and never polled. */
    version: Type.Optional(Type.String({ pattern: '^[0-9a-zA-Z]{1,64}$' })),
    /** Relative to the mount. */
    path: Type.String({ minLength: 1 }),
    /** How many versions are written, newest first; above 1 as `<path>/0` ... */
    history: Type.Integer({ minimum: 1, maximum: 100 }),
    format: Type.Enum(formats),
    encoding: Type.Enum(encodings),
    /** Permission bits of its files, where they differ from the settings' `fileMode`. */
    mode: Type.Optional(Type.Integer({ minimum: 0, maximum: 0o777 })),
    /** Whether the pod starts without it. */
    optional: Type.Boolean(),
    /** Writes `<path>.crt` and `<path>.key` beside `<path>`. */
    split: Type.Boolean(),
  },
  { additionalProperties: false },
)
export type ObjectSpec = Static<typeof ObjectSpec>
