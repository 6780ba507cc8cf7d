import { fail, ok, type Result } from '../shared/result.ts'
import { textOf, type Files } from '../shared/render/contents.ts'
import type { SecretRequest } from './secret-objects.ts'
import { tlsParts } from './tls.ts'

/** The values of a Secret by key. */
export type SecretData = ReadonlyMap<string, Uint8Array>

/** Kubernetes' own limit of all values of a Secret together, in bytes. {@link https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size} */
export const largestSecret = 1024 * 1024

/**
 * Returns the values of a Secret: all of them, or why there is none. No problem contains a value.
 * @param files of the class by path
 */
export async function secretData({ type, data }: SecretRequest, files: Files): Promise<Result<SecretData>> {
  const values = new Map<string, Uint8Array>()
  const missing: string[] = []
  for (const [key, path] of data) {
    const file = files.get(path)
    if (file === undefined) missing.push(`${path} (for the key ${key})`)
    else values.set(key, file.content)
  }
  if (missing.length > 0) return fail(`there is no ${missing.join(', no ')}`)
  if (type === 'kubernetes.io/tls') {
    const parts = await tlsParts(values.get('tls.crt') ?? Buffer.alloc(0), values.get('tls.key') ?? Buffer.alloc(0))
    if (!parts.ok) return parts
    values.set('tls.crt', Buffer.from(parts.value.certificate))
    values.set('tls.key', Buffer.from(parts.value.key))
  }
  const registries = type === 'kubernetes.io/dockerconfigjson' ? '.dockerconfigjson' : '.dockercfg'
  if (type.startsWith('kubernetes.io/dockerc') && !isJsonObject(values.get(registries)))
    return fail(`${registries}: the value is not a JSON object, which the type ${type} requires`)
  const size = values.values().reduce((sum, { length }) => sum + length, 0)
  if (size > largestSecret)
    return fail(`its values have ${size} bytes, and a Secret has space for ${largestSecret}: split it`)
  return ok(values)
}

/** The API server checks the same, and its message would quote the value. */
function isJsonObject(content: Uint8Array | undefined): boolean {
  try {
    const value: unknown = JSON.parse((content && textOf(content)) ?? '')
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
