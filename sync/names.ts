import { annotationPrefix } from '../shared/names.ts'

/** The names that the program, its manifests and its documentation share. */

/** The program: its Deployment, ServiceAccount and field manager. The admission policies match the ServiceAccount by this name. */
export const program = 'akv-injector-sync'

/** On a SecretProviderClass: the ServiceAccount as whose client ID its objects are read. */
export const syncAsAnnotation = `${annotationPrefix}sync-as`
/** On a SecretProviderClass: `"true"` if its Secrets outlive it. Also on those Secrets, where the admission policy reads it. */
export const syncRetainAnnotation = `${annotationPrefix}sync-retain`
/** On a SecretProviderClass: `csi` if its Secrets that the CSI driver made may be taken over. Also on those Secrets. */
export const syncAdoptAnnotation = `${annotationPrefix}sync-adopt`

/** On a Secret: `"true"` if this program writes it. */
export const syncedLabel = `${annotationPrefix}synced`
/** On a Secret: the SecretProviderClass that it is written for. */
export const syncClassAnnotation = `${annotationPrefix}sync-class`
/** On a Secret: the objects and versions that it contains. */
export const syncVersionsAnnotation = `${annotationPrefix}sync-versions`
/** On a Secret: when it was last written, RFC 3339. */
export const syncedAtAnnotation = `${annotationPrefix}synced-at`

/** On a Secret of the CSI driver. */
export const csiManagedLabel = 'secrets-store.csi.k8s.io/managed'

export const classGroup = 'secrets-store.csi.x-k8s.io'
export const classVersion = `${classGroup}/v1`
export const classKind = 'SecretProviderClass'

/** The ValidatingAdmissionPolicies that limit what the program may request and write. */
export const tokenPolicy = 'akv-injector-sync-tokens'
export const secretPolicy = 'akv-injector-sync-secrets'
/** The Secret that the self-test would write, if a policy did not refuse it. */
export const selfTestSecret = 'akv-injector-sync-self-test'
