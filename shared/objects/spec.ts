import type { ObjectSpec } from './schema.ts'

export type { ObjectSpec } from './schema.ts'

/** What a user wrote about an object; without a vault, the pod's annotation applies. */
export type ObjectRequest = Omit<ObjectSpec, 'vault' | 'identity'> & { vault?: string }

/** Returns how messages name an object: `secret db-password`, `cert web-tls`. */
export const objectName = (object: Pick<ObjectSpec, 'type' | 'name'>): string => `${object.type} ${object.name}`

/** Returns the paths under the mount that an object's files may have. */
export function filesOf(object: Pick<ObjectSpec, 'path' | 'history' | 'split'>): string[] {
  const bases =
    object.history > 1 ? Array.from({ length: object.history }, (_, age) => `${object.path}/${age}`) : [object.path]
  return object.split ? bases.flatMap((base) => [base, `${base}.crt`, `${base}.key`, `${base}.ca.crt`]) : bases
}

/** Returns problems that only a combination of fields reveals. `spell` returns how the user's text spells a field. */
export function combinationProblems(
  { type, format, encoding, split, property }: Pick<ObjectSpec, 'type' | 'format' | 'encoding' | 'split' | 'property'>,
  spell: (field: string) => string = (field) => field,
): string[] {
  if (format === 'truststore' && type !== 'key') return truststoreProblems({ encoding, split, property }, spell)
  if (type === 'secret') return property === undefined ? [] : propertyProblems(format, split, spell)
  const only = `is for ${spell('type')} secret only, not ${type}`
  return [
    ...(format === 'pem' ? [] : [`${spell('format')} ${format} ${only}`]),
    ...(encoding === 'utf-8' ? [] : [`${spell('encoding')} ${encoding} ${only}`]),
    ...(split ? [`split ${only}`] : []),
    ...(property === undefined ? [] : [`property ${only}`]),
  ]
}

/** A truststore is one file of certificates. */
function truststoreProblems(
  { encoding, split, property }: Pick<ObjectSpec, 'encoding' | 'split'> & { property: string | undefined },
  spell: (field: string) => string,
): string[] {
  const also = `cannot be combined with ${spell('format')} truststore; leave one out`
  return [
    ...(encoding === 'utf-8' ? [] : [`${spell('encoding')} ${encoding} ${also}`]),
    ...(split ? [`split ${also}`] : []),
    ...(property === undefined ? [] : [`property ${also}`]),
  ]
}

/** A field of a secret is not a certificate. */
const propertyProblems = (format: ObjectSpec['format'], split: boolean, spell: (field: string) => string): string[] => [
  ...(format === 'pfx' ? [`${spell('format')} pfx cannot be combined with property; leave one out`] : []),
  ...(split ? ['split cannot be combined with property; leave one out'] : []),
]

/** Limit of the objects of one pod, from all sources. More do not fit into the sidecar's settings. */
export const maxObjects = 500
/** Limit of the files of one pod. Each takes at least 4 KiB of the volume, and twice that during a switch. */
const maxFiles = 5000
/** Limit of all paths of the files together, in UTF-16 units. */
const maxPaths = 256 * 1024

/** Returns which limits of objects, files or paths are exceeded. It is cheap, so it runs before everything else. */
export function tooMany(objects: readonly Pick<ObjectSpec, 'path' | 'history' | 'split'>[]): string | undefined {
  if (objects.length > maxObjects) return `${objects.length} objects are more than a pod may have, ${maxObjects}`
  const filesOf = ({ history, split }: Pick<ObjectSpec, 'history' | 'split'>) => history * (split ? 4 : 1)
  const files = objects.reduce((sum, object) => sum + filesOf(object), 0)
  if (files > maxFiles) return `${files} files are more than a pod may have, ${maxFiles}`
  const paths = objects.reduce((sum, object) => sum + filesOf(object) * object.path.length, 0)
  return paths > maxPaths
    ? `the paths of all files have ${paths} characters, and at most ${maxPaths} may be: shorten them`
    : undefined
}
