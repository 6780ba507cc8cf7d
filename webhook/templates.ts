import { isDeepStrictEqual } from 'node:util'
import { podinfoFolder } from '../shared/names.ts'
import type { AdmissionRequest } from './envelope.ts'
import { placeOf } from './pod/places.ts'

/** Where the pod template is in each kind of workload. */
const places: Readonly<Record<string, readonly string[]>> = {
  ReplicaSet: ['spec', 'template'],
  // Of Argo Rollouts; one may refer to a Deployment's template instead.
  Rollout: ['spec', 'template'],
  // Of Knative.
  Service: ['spec', 'template'],
  Deployment: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
}

/** The pod that a workload would create, or undefined where the request is about something else. */
export function templateOf({ kind, operation, subResource, object }: AdmissionRequest): unknown {
  const place = Object.hasOwn(places, kind?.kind ?? '') ? places[kind?.kind ?? ''] : undefined
  if (kind?.kind === 'Service' && kind.group !== 'serving.knative.dev') return undefined
  if (place === undefined || subResource || (operation !== 'CREATE' && operation !== 'UPDATE')) return undefined
  const template = place.reduce<unknown>((value, field) => (value as Fields | null | undefined)?.[field], object)
  return isFields(template) && isFields(template['spec'])
    ? { ...template, spec: asAdmitted(template['spec']) }
    : template
}

type Fields = Record<string, unknown>
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The volume's name is random in a pod, and no name of a user's. */
const tokenVolume = 'kube-api-access-template'

/**
 * The `spec` of a pod as admission leaves it: the API server mounts the ServiceAccount's token into every container, which a template
 * lacks. Whether the ServiceAccount says that it does not is not known here.
 */
function asAdmitted(spec: Fields): Fields {
  if (spec['automountServiceAccountToken'] === false) return spec
  const mounted = (containers: unknown): unknown =>
    Array.isArray(containers) ? containers.map((one: unknown) => (isFields(one) ? withToken(one) : one)) : containers
  const volumes = spec['volumes'] ?? []
  const lists = ['containers', 'initContainers'].filter((list) => Array.isArray(spec[list]))
  return {
    ...spec,
    ...Object.fromEntries(lists.map((list) => [list, mounted(spec[list])])),
    volumes: Array.isArray(volumes) ? [...(volumes as unknown[]), { name: tokenVolume, projected: {} }] : volumes,
  }
}

function withToken(container: Fields): Fields {
  const mounts = container['volumeMounts'] ?? []
  if (!Array.isArray(mounts)) return container
  const isToken = (mount: unknown): boolean =>
    isFields(mount) && typeof mount['mountPath'] === 'string' && placeOf(mount['mountPath']) === placeOf(podinfoFolder)
  if (mounts.some(isToken)) return container
  return {
    ...container,
    volumeMounts: [...(mounts as unknown[]), { name: tokenVolume, mountPath: podinfoFolder, readOnly: true }],
  }
}

/**
 * Whether an update leaves the pods of the workload what they were: to scale, pause or label a workload that runs is not the moment
 * to refuse its pods.
 */
export const keepsTemplate = (request: AdmissionRequest): boolean =>
  request.operation === 'UPDATE' &&
  isDeepStrictEqual(templateOf(request), templateOf({ ...request, object: request.oldObject }))
