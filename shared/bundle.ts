import type { BundleFormat, ObjectSpec } from './object-spec.ts'

/** An object's name as an environment variable: `db-password` is `DB_PASSWORD`, `2fa` is `_2FA`. */
export const variableName = (name: string): string => name.toUpperCase().replaceAll('-', '_').replace(/^\d/, '_$&')

/** Why the objects of type secret cannot stand in one bundle, or undefined: two of them would have one name in it. */
export function bundleProblem(
  format: BundleFormat,
  objects: readonly Pick<ObjectSpec, 'type' | 'name' | 'path'>[],
): string | undefined {
  const paths = new Map<string, string>()
  for (const { type, name, path } of objects) {
    if (type !== 'secret') continue
    const key = format === 'dotenv' ? variableName(name) : name
    const other = paths.get(key)
    if (other !== undefined) {
      return `the secrets at "${other}" and "${path}" would both be ${key}; use a template, which can tell them apart`
    }
    paths.set(key, path)
  }
  return undefined
}
