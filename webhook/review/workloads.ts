import { isDeepStrictEqual } from 'node:util'
import type { AdmissionRequest } from './admission-review.ts'

/** The path of the pod template in each kind of workload. */
const places: Readonly<Record<string, readonly string[]>> = {
  ReplicaSet: ['spec', 'template'],
  // Argo Rollouts; one may refer to a Deployment's template instead.
  Rollout: ['spec', 'template'],
  // Knative.
  Service: ['spec', 'template'],
  Deployment: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
}

/** The fields that lead to the pod template of a kind of workload; undefined for any other kind. */
export function templatePath(kind: string, group = ''): readonly string[] | undefined {
  if (kind === 'Service' && group !== 'serving.knative.dev') return undefined
  return Object.hasOwn(places, kind) ? places[kind] : undefined
}

/** Returns the pod template of a workload, or undefined if the request is not about a workload. */
export function templateOf({ kind, operation, subResource, object }: AdmissionRequest): unknown {
  const place = templatePath(kind?.kind ?? '', kind?.group)
  if (place === undefined || subResource || (operation !== 'CREATE' && operation !== 'UPDATE')) return undefined
  return place.reduce<unknown>((value, field) => (value as Fields | null | undefined)?.[field], object)
}

type Fields = Record<string, unknown>

/**
 * Whether an update keeps the pod template. Scaling, pausing or labeling a running workload must not fail because its pods would be
 * denied.
 */
export const keepsTemplate = (request: AdmissionRequest): boolean =>
  request.operation === 'UPDATE' &&
  isDeepStrictEqual(templateOf(request), templateOf({ ...request, object: request.oldObject }))
