import { workloadIdentityLabel } from '../shared/names.ts'
import { quote } from '../shared/messages.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import { prefixed, type ClassSignIn } from './class-sign-in.ts'
import type { SyncedKeys } from './synced-secrets.ts'

/** The name of the Secrets Store CSI driver in a pod's volumes. */
const driver = 'secrets-store.csi.k8s.io'
const defaultMountPath = '/mnt/secrets'

/** What the migration reads of a pod or pod template. It keeps every other field. */
export interface CsiPod {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  spec?: CsiPodSpec
}

interface CsiPodSpec {
  serviceAccountName?: string
  volumes?: CsiVolume[]
  initContainers?: CsiContainer[]
  containers?: CsiContainer[]
  imagePullSecrets?: { name?: string }[]
}

interface CsiVolume {
  name?: string
  csi?: {
    driver?: string
    volumeAttributes?: { secretProviderClass?: string }
    nodePublishSecretRef?: { name?: string }
  }
  secret?: { secretName?: string }
}

interface CsiContainer {
  name?: string
  volumeMounts?: { name?: string; mountPath?: string; subPath?: string; subPathExpr?: string }[]
  env?: { name?: string; valueFrom?: { secretKeyRef?: { name?: string; key?: string } } }[]
  envFrom?: ({ secretRef?: { name?: string } } | null)[]
}

/** What the migration knows of the classes of a namespace. */
export interface ClassContext {
  /** What their `secretObjects` write, by Secret. */
  synced: ReadonlyMap<string, SyncedKeys>
  /** By the name of the class. */
  signIn: ReadonlyMap<string, ClassSignIn>
  /** Why a class still needs a volume of the driver, by its name. */
  needed: ReadonlyMap<string, string>
}

/** A pod that requests from the injector what it got from the driver. */
export interface MigratedPod {
  pod: CsiPod
  /** Names of its SecretProviderClasses. */
  classes: string[]
  /** What a person should know or do, as sentences. */
  notes: string[]
}

const classOf = ({ csi }: CsiVolume): string | undefined => csi?.volumeAttributes?.secretProviderClass

const isCsi = (volume: CsiVolume | null): boolean => volume?.csi?.driver === driver

/** Whether a pod, which may be malformed, has a volume of the driver, and so something to migrate. */
export const hasCsiVolume = (pod: CsiPod): boolean => (pod.spec?.volumes ?? []).some(isCsi)

const containersOf = ({ spec }: CsiPod): CsiContainer[] => [
  ...(spec?.initContainers ?? []),
  ...(spec?.containers ?? []),
]

/**
 * Replaces the driver's volumes in a pod by annotations: `secret-provider-class`, `mount-path`, `containers`, and `env` for variables
 * from Secrets that `secretObjects` made. If there is something that it cannot replace, it fails with a sentence for each, and the pod
 * should stay as it is. A volume whose class is needed for something else stays, without its mounts.
 */
export function migratePod(original: CsiPod, { synced, signIn, needed }: ClassContext): Result<MigratedPod> {
  const pod = structuredClone(original)
  const spec = pod.spec ?? {}
  const volumes = (spec.volumes ?? []).filter(isCsi)
  const names = new Set(volumes.map(({ name }) => name))
  const classes = volumes.flatMap((volume) => classOf(volume) ?? [])
  const isKept = (volume: CsiVolume): boolean => needed.has(classOf(volume) ?? '')
  const notes = volumes.some((volume) => !isKept(volume) && volume.csi?.nodePublishSecretRef !== undefined)
    ? ['nodePublishSecretRef is gone with its volume: sign in with a federated credential, not with a password']
    : []
  const mounting = containersOf(pod).filter(({ volumeMounts = [] }) => volumeMounts.some(({ name }) => names.has(name)))
  const mounts = mounting.flatMap(({ volumeMounts = [] }) => volumeMounts.filter(({ name }) => names.has(name)))
  const paths = [...new Set(mounts.map(({ mountPath = '' }) => mountPath.replace(/(.)\/+$/, '$1')))]

  const problems = unreplaceable(pod, synced, new Set(classes))
  if (classes.length < volumes.length) problems.push('a volume of the driver names no secretProviderClass')
  if (mounts.some(({ subPath, subPathExpr }) => (subPath ?? subPathExpr) !== undefined))
    problems.push('a container mounts a part of the volume with subPath: mount the whole volume, or link to the file')
  if (paths.length > 1)
    problems.push(`it is mounted at ${paths.map(quote).join(' and ')}, and the injector mounts everything at one path`)
  const distinct = [...new Set(classes)]
  const replaced = distinct.find((name) => signIn.get(name)?.replacement !== undefined)
  if (replaced !== undefined && distinct.length > 1)
    problems.push(
      `class ${quote(replaced)} is for AAD Pod Identity, and the pod has other classes: remove usePodIdentity from it`,
    )
  const variables = takeVariables(pod, synced, new Set(classes), problems)
  if (problems.length > 0) return fail(...problems)

  for (const container of mounting)
    setList(
      container,
      'volumeMounts',
      container.volumeMounts?.filter(({ name }) => !names.has(name)),
    )
  setList(
    spec,
    'volumes',
    spec.volumes?.filter((volume) => !isCsi(volume) || isKept(volume)),
  )
  const all = containersOf(pod).length
  const [path = defaultMountPath] = paths
  addMetadata(pod, {
    ...prefixed({
      ...(signIn.get(replaced ?? '')?.replacement ?? { 'secret-provider-class': distinct.join(',') }),
      ...(mounts.length === 0 ? { 'mount-path': 'none' } : path === defaultMountPath ? {} : { 'mount-path': path }),
      ...(mounts.length > 0 && mounting.length < all ? { containers: namesOf(mounting) } : {}),
      ...variables.annotations,
    }),
    ...Object.fromEntries(distinct.flatMap((name) => Object.entries(signIn.get(name)?.annotations ?? {}))),
  })
  const kept = volumes
    .filter(isKept)
    .map(
      (volume) => `volume ${quote(`${volume.name}`)} stays, without its mounts: ${needed.get(classOf(volume) ?? '')}`,
    )
  const ofClasses = distinct.flatMap((name) => signIn.get(name)?.notes ?? [])
  return ok({ pod, classes: distinct, notes: [...notes, ...kept, ...ofClasses, ...variables.notes] })
}

const namesOf = (containers: readonly CsiContainer[]): string => containers.map(({ name }) => name).join(',')

/** Sets a list, or removes the field if the list is empty. */
function setList<Key extends string, Item>(
  owner: { [key in Key]?: Item[] },
  field: Key,
  list: Item[] | undefined,
): void {
  if (list === undefined || list.length === 0) delete owner[field]
  else owner[field] = list
}

function addMetadata(pod: CsiPod, annotations: Record<string, string>): void {
  const metadata = (pod.metadata ??= {})
  metadata.labels = { ...metadata.labels, [workloadIdentityLabel]: 'true' }
  metadata.annotations = { ...metadata.annotations, ...annotations }
}

/** Uses of a synced Secret that an annotation cannot replace. The driver deletes the Secret with the last pod that has the volume. */
function unreplaceable(pod: CsiPod, synced: ReadonlyMap<string, SyncedKeys>, classes: ReadonlySet<string>): string[] {
  const isSynced = (name = ''): boolean => classes.has(synced.get(name)?.className ?? '')
  const say = (use: string, name = ''): string =>
    `${use} reads Secret ${quote(name)}, which its class writes with secretObjects`
  return [
    ...(pod.spec?.volumes ?? [])
      .filter(({ secret }) => isSynced(secret?.secretName))
      .map(({ name, secret }) => say(`volume ${quote(`${name}`)}`, secret?.secretName)),
    ...(pod.spec?.imagePullSecrets ?? [])
      .filter(({ name }) => isSynced(name))
      .map(({ name }) => say('imagePullSecrets', name)),
    ...containersOf(pod).flatMap(({ name, envFrom = [] }) =>
      envFrom
        .filter((source) => isSynced(source?.secretRef?.name))
        .map((source) => say(`envFrom of container ${quote(`${name}`)}`, source?.secretRef?.name)),
    ),
  ]
}

/** Removes variables from synced Secrets, and returns the annotations that give them back. */
function takeVariables(
  pod: CsiPod,
  synced: ReadonlyMap<string, SyncedKeys>,
  classes: ReadonlySet<string>,
  problems: string[],
): { annotations: Record<string, string>; notes: string[] } {
  const objects = new Map<string, string>()
  const users: CsiContainer[] = []
  const counts: number[] = []
  for (const container of containersOf(pod)) {
    const kept = (container.env ?? []).filter(({ name: variable = '', valueFrom }) => {
      const { name = '', key = '' } = valueFrom?.secretKeyRef ?? {}
      const secret = synced.get(name)
      if (secret === undefined || !classes.has(secret.className)) return true
      const object = secret.objects.get(key)
      const where = `variable ${quote(variable)} of container ${quote(`${container.name}`)}`
      if (object === undefined)
        problems.push(
          `${where}: secretObjects of class ${quote(secret.className)} have no key ${quote(key)} in Secret ${quote(name)}`,
        )
      else if ((objects.get(variable) ?? object) !== object)
        problems.push(`${where} has another object than the same variable of another container`)
      else objects.set(variable, object)
      return false
    })
    if (kept.length === (container.env ?? []).length) continue
    users.push(container)
    counts.push((container.env ?? []).length - kept.length)
    setList(container, 'env', kept)
  }
  if (users.length === 0) return { annotations: {}, notes: [] }
  const env = [...objects].map(([variable, object]) => `${variable}=${object}`).join(', ')
  return {
    annotations: { env, ...(users.length < containersOf(pod).length ? { 'env-containers': namesOf(users) } : {}) },
    notes: counts.some((count) => count < objects.size)
      ? [`each of the containers ${namesOf(users)} gets all of the variables ${[...objects.keys()].join(', ')}`]
      : [],
  }
}
