import { isDeepStrictEqual } from 'node:util'
import type { AdmissionRequest } from './envelope.ts'

/** Where the pod template is in each kind of workload. */
const places: Record<string, readonly string[]> = {
  Deployment: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
}

/** The pod that a workload would create, or undefined where the request is about something else. */
export function templateOf({ kind, operation, subResource, object }: AdmissionRequest): unknown {
  const place = places[kind?.kind ?? '']
  if (place === undefined || subResource || (operation !== 'CREATE' && operation !== 'UPDATE')) return undefined
  return place.reduce<unknown>((value, field) => (value as Record<string, unknown> | null | undefined)?.[field], object)
}

/**
 * Whether an update leaves the pods of the workload what they were: to scale, pause or label a workload that runs is not the moment
 * to refuse its pods.
 */
export const keepsTemplate = (request: AdmissionRequest): boolean =>
  request.operation === 'UPDATE' &&
  isDeepStrictEqual(templateOf(request), templateOf({ ...request, object: request.oldObject }))
