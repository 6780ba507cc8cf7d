import type { Settings } from '../../shared/settings/schema.ts'
import type { Pod } from '../pod/pod.ts'
import type { Warning, SkipReason, Problem } from '../reasons.ts'
import type { AdmissionRequest, AdmissionResponse } from './admission-review.ts'

/** The decision about a pod. Responses, logs, Events, metrics and audit annotations derive from it alone. */
export type Decision =
  | { kind: 'inject'; pod: Pod; settings: Settings; warnings: Warning[] }
  | { kind: 'skip'; reason: SkipReason; warnings: Warning[] }
  | {
      kind: 'deny'
      problems: [Problem, ...Problem[]]
      warnings: Warning[]
      /** The pod itself is invalid, so fresh look-ups would not change the decision. */
      isFinal?: true
    }
/** A decision with its request. */
export interface Decided {
  decision: Decision
  request: AdmissionRequest
  /** The pod, if it could be read. */
  pod?: Pod | undefined
  purpose: Purpose
  /** The decision is reported, but nothing is changed or denied. */
  report: boolean
  /** Duration of the review in milliseconds. */
  durationMs: number
}
/**
 * What a review is for. `copy` reviews pods that arrive with a sidecar, before either half injects; `copy-guard` denies those whose sidecar
 * still differs from an injected one after that; `mutate` injects created pods, and `standby` those that `mutate` did not inject; `env`
 * adds environment variables after all other webhooks, and `env-standby` those that `env` did not add; `guard` denies pods that request
 * injection and got none, or not all of it; `report` reports what would be done; `validate` reports what would happen to the pods of
 * a workload that is created or changed. Each is a path of the server.
 */
export const purposes = [
  'copy',
  'copy-guard',
  'mutate',
  'standby',
  'env',
  'env-standby',
  'guard',
  'report',
  'validate',
] as const
export type Purpose = (typeof purposes)[number]

const guards = ['guard', 'copy-guard'] as const satisfies Purpose[]
export type Guard = (typeof guards)[number]
/**
 * Guards only allow or deny. Their `failurePolicy` is Fail, so a failed call shows their URL to the pod's author, who could then send
 * reviews: no response of a guard may contain a patch.
 */
export const isGuard = (purpose: Purpose): purpose is Guard => guards.some((guard) => guard === purpose)

/** Whether a review comes after those of all other webhooks, and completes what an earlier one of the injector began. */
export const isLast = (purpose: Purpose): boolean => purpose === 'env' || purpose === 'env-standby'

/** Whether a review adds environment variables to a pod that has none of the injector's yet. */
export const addsVariables = (purpose: Purpose): boolean =>
  !['copy', 'copy-guard', 'mutate', 'standby'].includes(purpose)

/**
 * Whether the standby may succeed where this response fails: the API server calls the standby after a failed call, whereas a denial is
 * final.
 */
export const isRetriable = (purpose: Purpose, { status }: AdmissionResponse): boolean =>
  (purpose === 'mutate' || purpose === 'env') && [429, 503].includes(status?.code ?? 0)
