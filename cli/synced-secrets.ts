import { itemsOf, type Manifest } from './documents.ts'

/** A Secret that a class writes with `secretObjects`. */
export interface SyncedKeys {
  className: string
  /** The path of the object behind each key: its `objectAlias`, or else its `objectName`. */
  objects: ReadonlyMap<string, string>
}

interface SecretObject {
  secretName?: unknown
  data?: unknown
}

/**
 * Returns the Secrets that classes write, by name.
 * {@link https://secrets-store-csi-driver.sigs.k8s.io/topics/sync-as-kubernetes-secret}
 */
export function syncedSecrets(classes: readonly Manifest[]): Map<string, SyncedKeys> {
  const secrets = new Map<string, SyncedKeys>()
  for (const { metadata, spec } of classes) {
    const { secretObjects } = (spec ?? {}) as { secretObjects?: unknown }
    for (const { secretName, data } of itemsOf<SecretObject>(secretObjects)) {
      if (typeof secretName !== 'string') continue
      const objects = itemsOf<Record<string, unknown>>(data).flatMap(({ key, objectName }) =>
        typeof key === 'string' && typeof objectName === 'string' ? [[key, objectName] as const] : [],
      )
      secrets.set(secretName, { className: metadata?.name ?? '', objects: new Map(objects) })
    }
  }
  return secrets
}

/** Whether a manifest refers to a Secret: by `secretName`, `secretKeyRef`, `secretRef` or `imagePullSecrets`, wherever it has them. */
export function refersTo(manifest: unknown, secret: string): boolean {
  if (Array.isArray(manifest)) return manifest.some((item) => refersTo(item, secret))
  if (typeof manifest !== 'object' || manifest === null) return false
  return Object.entries(manifest).some(([field, value]) => {
    if (field === 'secretName') return value === secret
    if (['secretKeyRef', 'secretRef'].includes(field)) return (value as { name?: unknown } | null)?.name === secret
    if (field === 'imagePullSecrets' && Array.isArray(value))
      return (value as ({ name?: unknown } | null)[]).some((one) => one?.name === secret)
    return refersTo(value, secret)
  })
}
