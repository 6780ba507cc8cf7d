import type { Limits } from '../../shared/kubernetes/limit-range.ts'
import type { TemplateUses } from '../../shared/render/template.ts'
import type { Configuration } from '../configuration/configuration.ts'
import type { FoundClass } from './secret-provider-class/found-class.ts'

/** The part of a Namespace that decisions read. */
export interface Namespace {
  name: string
  labels: Record<string, string>
  annotations: Record<string, string>
}

/** The part of a ServiceAccount that decisions read. */
export interface ServiceAccount {
  annotations: Record<string, string>
  /** Its `automountServiceAccountToken`; absent if it has none, or if only its metadata is known. */
  automount?: boolean
}

/** Everything a decision depends on, except the pod. */
export interface PlanInputs {
  namespace: Namespace
  /** Absent if the pod's ServiceAccount does not exist. */
  serviceAccount?: ServiceAccount
  /** The SecretProviderClasses that the pod names. */
  secretProviderClasses?: ReadonlyMap<string, FoundClass>
  /** Names of classes in the pod's namespace, for suggestions. */
  knownClasses?: readonly string[]
  /** The entries of the namespace's LimitRanges for containers and pods. */
  limitRanges: readonly Limits[]
  /** Templates that were read ahead, by their text; the others are read during the decision. */
  templates?: ReadonlyMap<string, TemplateUses>
  configuration: Configuration
  /** The oldest kubelet's version, which the administrator's `oldestKubelet` overrides; absent if unknown. */
  oldestKubelet?: string
  /** The API server's version; absent if unknown. */
  apiServer?: string
  /**
   * False in the registration that comes first, if the pod has no environment variables of the injector yet: another webhook may not know
   * their fields and drop them. True by default.
   */
  addsVariables?: boolean
  /** The sidecar's image, which the administrator's `image` overrides. */
  image: string
  /** The injector's own version. */
  version: string
}
