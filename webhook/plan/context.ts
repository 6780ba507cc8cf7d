import type { Configuration } from '../configuration/configuration.ts'
import type { Pod } from '../pod/pod.ts'
import type { Diagnostics } from '../reasons.ts'
import type { Values } from './effective-annotations.ts'
import type { Namespace } from './inputs.ts'

/** What every step of a plan reads, and where it reports problems and warnings. */
export interface PlanContext {
  /** The pod without anything that an earlier pass injected. */
  pod: Pod
  /** The annotations in effect for the pod. */
  values: Values
  namespace: Namespace
  configuration: Configuration
  diagnostics: Diagnostics
}
