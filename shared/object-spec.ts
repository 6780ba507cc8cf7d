import { Type, type Static } from 'typebox'

export const objectTypes = ['secret', 'key', 'cert'] as const
export type ObjectType = (typeof objectTypes)[number]
export const formats = ['pem', 'pfx'] as const
export const bundleFormats = ['dotenv', 'json', 'yaml', 'properties'] as const
export type BundleFormat = (typeof bundleFormats)[number]
export const encodings = ['utf-8', 'base64', 'hex'] as const

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

/** What a user wrote about an object: the vault may be left to the pod's annotation. */
export type ObjectRequest = Omit<ObjectSpec, 'vault' | 'identity'> & { vault?: string }

/** `secret db-password`, `cert web-tls`: how messages name an object. */
export const objectName = (object: Pick<ObjectSpec, 'type' | 'name'>): string => `${object.type} ${object.name}`

/** The paths under the mount that an object's files may take. */
export function filesOf(object: Pick<ObjectSpec, 'path' | 'history' | 'split'>): string[] {
  const bases =
    object.history > 1 ? Array.from({ length: object.history }, (_, age) => `${object.path}/${age}`) : [object.path]
  return object.split ? bases.flatMap((base) => [base, `${base}.crt`, `${base}.key`]) : bases
}

/** What only the fields of an object together show to be wrong. `spell` tells how the reader's text spells a field. */
export function combinationProblems(
  { type, format, encoding, split }: Pick<ObjectSpec, 'type' | 'format' | 'encoding' | 'split'>,
  spell: (field: string) => string = (field) => field,
): string[] {
  if (type === 'secret') return []
  const only = `is for ${spell('type')} secret only, not ${type}`
  return [
    ...(format === 'pfx' ? [`${spell('format')} pfx ${only}`] : []),
    ...(encoding === 'utf-8' ? [] : [`${spell('encoding')} ${encoding} ${only}`]),
    ...(split ? [`split ${only}`] : []),
  ]
}
