import { syncAsAnnotation } from '../../sync/names.ts'
import type { SyncClass } from '../../sync/sync-class.ts'

/** An entry of `secretObjects`. */
export interface Entry {
  secretName: string
  type: string
  data: { key: string; objectName: string }[]
  labels?: Record<string, string>
  annotations?: Record<string, string>
}

/** An entry for an Opaque Secret with values by key. */
export const opaque = (secretName: string, data: Record<string, string>): Entry => ({
  ...{ secretName, type: 'Opaque' },
  data: Object.entries(data).map(([key, objectName]) => ({ key, objectName })),
})

/** An entry for a TLS Secret whose certificate and key come from one object. */
export const tls = (secretName: string, objectName: string): Entry => ({
  ...{ secretName, type: 'kubernetes.io/tls' },
  data: ['tls.key', 'tls.crt'].map((key) => ({ key, objectName })),
})

/** The `spec` of a class whose objects are the lines of each object's text. */
export const specOf = (objects: string[][], secretObjects: unknown, vault = 'my-kv', more: object = {}): object => ({
  provider: 'azure',
  parameters: {
    keyvaultName: vault,
    clientID: '44444444-4444-4444-4444-444444444444',
    tenantId: '55555555-5555-5555-5555-555555555555',
    objects: ['array:', ...objects.flatMap((lines) => ['  - |', ...lines.map((line) => `    ${line}`)])].join('\n'),
    ...more,
  },
  secretObjects,
})

export const secretObject = (name: string, ...more: string[]): string[] => [
  `objectName: ${name}`,
  'objectType: secret',
  ...more,
]

/** A class of the namespace `shop` that requests Secrets. */
export const classOf = (spec: unknown, annotations: Record<string, string> = {}): SyncClass => ({
  ...{ namespace: 'shop', name: 'web', uid: 'uid-1', spec },
  annotations: { [syncAsAnnotation]: 'web-sync', ...annotations },
})
