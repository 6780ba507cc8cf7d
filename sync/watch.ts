import type { Api } from '../shared/kubernetes/api.ts'
import { createReflector, type Metadata } from '../shared/kubernetes/reflector.ts'
import type { Logger } from '../shared/log.ts'
import { injectionLabel } from '../shared/names.ts'
import { classVersion, syncAsAnnotation } from './names.ts'

/** A class that requests Secrets. */
export interface RequestingClass {
  namespace: string
  name: string
  uid: string
  resourceVersion: string
}

/** What the program follows in the cluster. */
export interface Watched {
  /** Returns the classes with the annotation `sync-as` in namespaces with the label `injection: enabled`; none that is being deleted. */
  classes(): RequestingClass[]
  /** Whether namespaces have been read; the kind of the classes may be absent. */
  isRead(): boolean
  close(): Promise<void>
}

/** Estimated memory of the caches in bytes. Of a class only its names, uid and version are kept. */
const limits = {
  namespaces: { bytes: 4 * 1024 * 1024, bytesPerNamespace: 0 },
  classes: { bytes: 8 * 1024 * 1024, bytesPerNamespace: 256 * 1024 },
}
/** Limit of the classes of one namespace; those with the first names are followed. */
export const mostClasses = 100

interface ClassMeta {
  metadata?: Metadata & { uid?: string }
}

/** RBAC: list and watch on `namespaces` and `secretproviderclasses`. */
export function watchCluster(options: { api: Api; log: Logger; onLimited: (limit: string) => void }): Watched {
  const { onLimited } = options
  const namespaces = createReflector<boolean>({
    ...options,
    path: '/api/v1/namespaces',
    fields: {
      metadata: { name: true, resourceVersion: true, deletionTimestamp: true, labels: { [injectionLabel]: true } },
    },
    keep: ({ metadata: { labels = {}, deletionTimestamp } = {} }) =>
      labels[injectionLabel] === 'enabled' && deletionTimestamp === undefined,
    limits: limits.namespaces,
  })
  const classes = createReflector<Omit<RequestingClass, 'namespace'> | null, ClassMeta>({
    ...options,
    path: `/apis/${classVersion}/secretproviderclasses`,
    mayBeAbsent: true,
    fields: {
      metadata: {
        ...{ name: true, namespace: true, uid: true, resourceVersion: true, deletionTimestamp: true },
        annotations: { [syncAsAnnotation]: true },
      },
    },
    keep: ({ metadata: { name = '', uid = '', resourceVersion = '', deletionTimestamp, annotations = {} } = {} }) =>
      annotations[syncAsAnnotation] === undefined || deletionTimestamp !== undefined
        ? null
        : { name, uid, resourceVersion },
    limits: limits.classes,
  })
  return {
    classes() {
      const enabled = namespaces.names('').filter((name) => namespaces.get(undefined, name))
      return enabled.flatMap((namespace) => {
        const found = classes.all(namespace).filter((one) => one !== null)
        if (found.length <= mostClasses) return found.map((one) => ({ namespace, ...one }))
        onLimited('classes')
        const first = found.toSorted((one, other) => (one.name < other.name ? -1 : 1)).slice(0, mostClasses)
        return first.map((one) => ({ namespace, ...one }))
      })
    },
    isRead: () => namespaces.read(),
    async close() {
      await Promise.all([namespaces.close(), classes.close()])
    },
  }
}
