import { Type, type Static } from 'typebox'
import { bundleFormats, encodings, formats, objectTypes } from './formats.ts'
import { longestProperty, propertyPattern } from './property.ts'

/** A Key Vault object that a pod gets, with every default filled in. */
export const ObjectSpec = Type.Object(
  {
    /** The vault's URL, without a trailing slash. */
    vault: Type.String({ pattern: '^https://[^/]+$' }),
    /** Index into the settings' identities: the one that requests it. */
    identity: Type.Integer({ minimum: 0 }),
    type: Type.Enum(objectTypes),
    name: Type.String({ pattern: '^[0-9a-zA-Z-]{1,127}$' }),
    /** A version's ID; such an object is fetched once and never polled. */
    version: Type.Optional(Type.String({ pattern: '^[0-9a-zA-Z]{1,64}$' })),
    /** Relative to the mount. */
    path: Type.String({ minLength: 1 }),
    /** Number of versions to write, newest first; if more than 1, as `<path>/0` and so on. */
    history: Type.Integer({ minimum: 1, maximum: 100 }),
    format: Type.Enum(formats),
    encoding: Type.Enum(encodings),
    /** The path of the field of a JSON or YAML secret that is written instead of the whole secret. */
    property: Type.Optional(Type.String({ pattern: propertyPattern, maxLength: longestProperty })),
    /** Permission bits of its files, if they differ from the settings' `fileMode`. */
    mode: Type.Optional(Type.Integer({ minimum: 0, maximum: 0o777 })),
    /** True if the pod starts without it. */
    optional: Type.Boolean(),
    /** Writes `<path>.crt`, `<path>.key` and `<path>.ca.crt` beside `<path>`. */
    split: Type.Boolean(),
    /**
     * Whether the annotation itself requests the format: then the vault's form is converted into it. Otherwise, as for
     * every object of a SecretProviderClass, the bytes are those of the CSI driver's provider.
     */
    convert: Type.Optional(Type.Literal(true)),
  },
  { additionalProperties: false },
)
export type ObjectSpec = Static<typeof ObjectSpec>

const Names = Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })

/** A bundle of some of the pod's secrets. Its texts refer to a secret by path or name, and to found secrets by group. */
export const BundleSelection = Type.Object(
  {
    format: Type.Enum(bundleFormats),
    /** The secrets that it contains; all if this and `groups` are absent. */
    only: Type.Optional(Names),
    /** The groups of found secrets that it contains; if this or `only` is present, it contains nothing else. */
    groups: Type.Optional(Names),
    /** Secrets that it does not contain. */
    except: Type.Optional(Names),
    /** Names in the bundle that replace those of the format. */
    names: Type.Optional(Type.Record(Type.String(), Type.String({ minLength: 1 }))),
  },
  { additionalProperties: false },
)
export type BundleSelection = Static<typeof BundleSelection>

/** A format alone selects every secret. */
export const BundleSpec = Type.Union([Type.Enum(bundleFormats), BundleSelection])
export type BundleSpec = Static<typeof BundleSpec>
