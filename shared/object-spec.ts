import type { ObjectSpec } from './object-schema.ts'

export type { ObjectSpec } from './object-schema.ts'

export const objectTypes = ['secret', 'key', 'cert'] as const
export type ObjectType = (typeof objectTypes)[number]
export const formats = ['pem', 'pfx'] as const
export const bundleFormats = ['dotenv', 'json', 'yaml', 'properties'] as const
export type BundleFormat = (typeof bundleFormats)[number]
export const encodings = ['utf-8', 'base64', 'hex'] as const

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

/** Of one pod, from all of its sources. More do not fit into the sidecar's settings. */
export const maxObjects = 500
/** More do not fit into a volume of ordinary size, in which each takes 4 KiB at least, twice during a switch. */
const maxFiles = 5000
/** UTF-16 units of all paths of the files. */
const maxPaths = 256 * 1024

/** Why these are more objects, files or paths than a pod may have; cheap, so that nothing else is done for them. */
export function tooMany(objects: readonly Pick<ObjectSpec, 'path' | 'history' | 'split'>[]): string | undefined {
  if (objects.length > maxObjects) return `${objects.length} objects are more than a pod may have, ${maxObjects}`
  const filesOf = ({ history, split }: Pick<ObjectSpec, 'history' | 'split'>) => history * (split ? 3 : 1)
  const files = objects.reduce((sum, object) => sum + filesOf(object), 0)
  if (files > maxFiles) return `${files} files are more than a pod may have, ${maxFiles}`
  const paths = objects.reduce((sum, object) => sum + filesOf(object) * object.path.length, 0)
  return paths > maxPaths ? `the paths of all files have ${paths} characters, and at most ${maxPaths} may be: shorten them` : undefined // prettier-ignore
}
