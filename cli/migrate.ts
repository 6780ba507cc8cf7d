import type { Document } from 'yaml'
import { injectionLabel } from '../shared/names.ts'
import { syncAdoptAnnotation, syncAsAnnotation } from '../sync/names.ts'
import { quote } from '../shared/messages.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import { readPod, type Pod } from '../webhook/pod/pod.ts'
import { classSignIn } from './class-sign-in.ts'
import { applyChange, printed } from './edit.ts'
import { namespaceIn, objectsIn, readDocuments, type Manifest } from './documents.ts'
import { injectDocuments, templateIn, type InjectOptions } from './inject.ts'
import { hasCsiVolume, migratePod, type CsiPod } from './migrate-pod.ts'
import { refersTo, syncedSecrets, type SyncedKeys } from './synced-secrets.ts'

/** What became of one pod or pod template with a volume of the CSI driver. */
export interface Migration {
  kind: string
  namespace: string
  name: string
  outcome: 'migrated' | 'unchanged'
  /** Why it is unchanged, or what would be denied. */
  problems: string[]
  /** What remains to be done. */
  notes: string[]
}

export interface Migrated {
  /** The documents with migrated pods; everything else is as it was. */
  text: string
  migrations: Migration[]
}

/**
 * Turns pods with volumes of the Secrets Store CSI driver into pods that the injector gives the same files. A pod stays unchanged if a
 * part of it cannot be translated, or if the webhook would deny the result. Problems are those of the text.
 */
export async function migrateDocuments(text: string, options: InjectOptions): Promise<Result<Migrated>> {
  const documents = readDocuments(text)
  if (!documents.ok) return documents
  const found = objectsIn(documents.value)
  if (found.length === 0) return fail('there is no Kubernetes object in it')
  const all = found.map(({ manifest }) => manifest)
  const changed = new Set<Document>()
  const migrations: Migration[] = []
  for (const one of found) {
    const template = templateIn(one)
    const pod = (template?.value ?? {}) as CsiPod
    if (template === undefined || !hasCsiVolume(pod)) continue
    const { kind = '', metadata = {} } = one.manifest
    const namespace = metadata.namespace ?? options.namespace
    const common = { kind, namespace, name: metadata.name ?? '(unnamed)' }
    const classes = classesIn(all, namespace, options.namespace)
    const synced = syncedSecrets(classes.filter((one) => !isTakenOver(one)))
    const signIn = new Map(classes.map((manifest) => [manifest.metadata?.name ?? '', classSignIn(manifest)]))
    const needed = otherUsers(all, namespace, options.namespace, synced)
    const read = readPod(pod)
    const result = read.ok ? migratePod(pod, { synced, signIn, needed }) : read
    const problems = result.ok ? await denials(all, namespace, result.value.pod, options) : result.problems
    if (!result.ok || problems.length > 0) {
      migrations.push({ ...common, outcome: 'unchanged', problems: [...problems], notes: [] })
      continue
    }
    applyChange(one.document, template.path, pod as unknown as Pod, result.value.pod as unknown as Pod)
    changed.add(one.document)
    const notes = [...result.value.notes, ...remaining(all, namespace, result.value.classes, classes, pod)]
    migrations.push({ ...common, outcome: 'migrated', problems: [], notes })
  }
  return ok({ text: printed(text, documents.value, changed), migrations })
}

const classesIn = (all: readonly Manifest[], namespace: string, otherwise: string): Manifest[] =>
  all.filter(({ kind, metadata }) => kind === 'SecretProviderClass' && (metadata?.namespace ?? otherwise) === namespace)

/** Whether `akv-injector-sync` takes over the Secrets of a class: they then outlive the driver's volumes, and their users stay as they are. */
const isTakenOver = ({ metadata: { annotations } = {} }: Manifest): boolean =>
  annotations?.[syncAsAnnotation] !== undefined && annotations[syncAdoptAnnotation] === 'csi'

/** What else reads Secrets of classes, by class: the driver deletes these with the last pod that has a volume of the class. */
function otherUsers(
  all: readonly Manifest[],
  namespace: string,
  otherwise: string,
  synced: ReadonlyMap<string, SyncedKeys>,
): Map<string, string> {
  const others = all.filter(
    (one) =>
      one.kind !== 'SecretProviderClass' &&
      (one.metadata?.namespace ?? otherwise) === namespace &&
      !hasCsiVolume((templateIn({ manifest: one, path: [] })?.value ?? {}) as CsiPod),
  )
  const needed = new Map<string, string>()
  for (const [secret, { className }] of synced) {
    const user = others.find((one) => refersTo(one, secret))
    if (user !== undefined)
      needed.set(
        className,
        `${user.kind} ${user.metadata?.name} reads Secret ${quote(secret)}, which the driver deletes with the last pod that has such a volume; akv-injector-sync can take it over`,
      )
  }
  return needed
}

/** Why the webhook would deny a migrated pod, decided with the other documents around it, and with the namespace's label. */
async function denials(
  all: readonly Manifest[],
  namespace: string,
  pod: CsiPod,
  options: InjectOptions,
): Promise<string[]> {
  const context = all.flatMap((one) => {
    const { kind = '', metadata } = one
    if (kind === 'Namespace') return [{ ...one, metadata: { ...metadata, labels: { [injectionLabel]: 'enabled' } } }]
    return ['ServiceAccount', 'SecretProviderClass', 'LimitRange'].includes(kind) ? [one] : []
  })
  const migrated = { ...pod, apiVersion: 'v1', kind: 'Pod', metadata: { ...pod.metadata, name: 'migrated', namespace } }
  const result = await injectDocuments(
    [...context, migrated].map((one) => JSON.stringify(one)).join('\n---\n'),
    options,
  )
  if (!result.ok) return [...result.problems]
  return result.value.reports.flatMap(({ problems }) => problems.map(({ text }) => text))
}

/** What a person still has to do outside the pod. */
function remaining(
  all: readonly Manifest[],
  namespace: string,
  names: readonly string[],
  classes: readonly Manifest[],
  { spec }: CsiPod,
): string[] {
  const subject = `system:serviceaccount:${namespace}:${spec?.serviceAccountName ?? 'default'}`
  const label = namespaceIn(all, namespace)?.metadata?.labels?.[injectionLabel]
  return [
    ...(label === 'enabled' ? [] : [`kubectl label namespace ${namespace} ${injectionLabel}=enabled`]),
    ...names.map((name) => {
      const found = classes.find(({ metadata }) => metadata?.name === name)
      if (found === undefined)
        return `SecretProviderClass ${quote(name)} is not among the manifests: it was not checked`
      const { parameters } = found.spec as { parameters?: { clientID?: string; clientId?: string } }
      const client = parameters?.clientID ?? parameters?.clientId ?? ''
      return `SecretProviderClass ${quote(name)}: the identity ${client === '' ? `of the ServiceAccount` : client} needs a federated credential for ${subject}, and a role on the vault`
    }),
  ]
}
