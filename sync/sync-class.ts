import { annotationPrefix } from '../shared/names.ts'
import { quote } from '../shared/messages.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import { syncAdoptAnnotation, syncAsAnnotation, syncRetainAnnotation } from './names.ts'

/** A SecretProviderClass, as far as it is read. */
export interface SyncClass {
  namespace: string
  name: string
  uid: string
  /** The injector's annotations. */
  annotations: Readonly<Record<string, string>>
  spec: unknown
}

/** What a class's `sync-*` annotations say. */
export interface SyncOptions {
  /** The name of the ServiceAccount as whose client ID the objects are read. */
  serviceAccount: string
  /** Whether the Secrets outlive the class. */
  retain: boolean
  /** Whether Secrets that the CSI driver made are taken over. */
  adopt: boolean
  /** The other annotations of the injector, which mean what they mean on a pod. */
  others: Record<string, string>
}

/** Annotations of pods that also have a meaning on a class. */
const podAnnotations = ['poll-interval', 'cloud', 'client-id', 'tenant-id']
const isMeant = (name: string): boolean => podAnnotations.includes(name) || name.startsWith('template-')
/** What Kubernetes accepts as the name of a ServiceAccount. */
const accountName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const own: readonly string[] = [syncAsAnnotation, syncRetainAnnotation, syncAdoptAnnotation]

/** Reads the injector's annotations of a class, which has the one that requests Secrets. */
export function readOptions(annotations: Readonly<Record<string, string>>): Result<SyncOptions> {
  const problems: string[] = []
  const problem = (name: string, text: string) =>
    problems.push(`annotation ${name} ${quote(annotations[name] ?? '')}: ${text}`)
  const serviceAccount = annotations[syncAsAnnotation]?.trim() ?? ''
  if (!accountName.test(serviceAccount)) problem(syncAsAnnotation, 'expected the name of a ServiceAccount')
  const retain = annotations[syncRetainAnnotation]?.trim() ?? 'false'
  if (!['true', 'false'].includes(retain)) problem(syncRetainAnnotation, 'expected "true" or "false"')
  const adopt = annotations[syncAdoptAnnotation]?.trim()
  if (adopt !== undefined && adopt !== 'csi') problem(syncAdoptAnnotation, 'expected "csi"')
  const others: Record<string, string> = {}
  for (const [name, value] of Object.entries(annotations)) {
    if (own.includes(name)) continue
    if (isMeant(name.slice(annotationPrefix.length))) others[name] = value
    else problem(name, 'it has no meaning on a SecretProviderClass')
  }
  if (problems.length > 0) return fail(...problems)
  return ok({ serviceAccount, retain: retain === 'true', adopt: adopt === 'csi', others })
}
