import {
  annotationPrefix,
  environmentContainer,
  initContainer,
  sidecarContainer,
  workloadIdentityLabel,
} from '../../shared/names.ts'
import { missReasons, skipReasons } from '../../webhook/reasons.ts'
import { findingsOf, type Finding } from './finding.ts'
import { judgeNamespace, type LabelValues } from './namespaces.ts'
import type { Container, Named, Pod } from './objects.ts'

const { ok, warn, fail, unread } = findingsOf('injection')

export const injectorContainers: readonly string[] = [sidecarContainer, initContainer, environmentContainer]
const requests = ['objects', 'secret-provider-class', 'env'].map((name) => annotationPrefix + name)

/** Returns the container that fetches the objects; undefined if the pod was not injected. */
export const sidecarOf = ({ spec }: Pod): Container | undefined =>
  [...(spec.initContainers ?? []), ...(spec.containers ?? [])].find(
    ({ name }) => name === sidecarContainer || name === initContainer,
  )

export interface Circumstances {
  /** Absent if it could not be read; its reason is in `unreadable`. */
  namespace: Named | undefined
  unreadable?: string
  values: LabelValues
  /** Whether the administrator's file has `report: true`. */
  report?: boolean
  /** When the injector was registered with the API server, RFC 3339; absent if unknown. */
  registeredAt?: string
}

/** Says whether a pod was injected, and why not. */
export function judgeInjection(pod: Pod, circumstances: Circumstances): Finding[] {
  const { metadata } = pod
  const place = placeOf(pod)
  const annotations = metadata.annotations ?? {}
  if (sidecarOf(pod) !== undefined) {
    const version = annotations[`${annotationPrefix}version`]
    return [ok(place, `was injected${version === undefined ? '' : ` by version ${version}`}`)]
  }
  const recreate = 'and recreate the pod'
  if (annotations['kubernetes.io/config.mirror'] !== undefined)
    return [fail(place, skipReasons['mirror-pod'], 'create the pod with a DaemonSet instead')]
  if (annotations[`${annotationPrefix}inject`]?.trim() === 'false')
    return [warn(place, skipReasons['opted-out'], `remove the annotation ${recreate}`)]

  const findings = namespaceFindings(metadata.namespace ?? '', circumstances)
  if (metadata.labels?.[workloadIdentityLabel] !== 'true')
    findings.push(
      fail(place, `lacks the label ${workloadIdentityLabel}: "true"`, `add it to the pod template ${recreate}`),
    )
  if (!requests.some((name) => annotations[name] !== undefined))
    findings.push(
      fail(
        place,
        `requests no objects: it has none of the annotations ${requests.join(', ')}`,
        `add one to the pod template (not to the workload itself) ${recreate}`,
      ),
    )
  if (circumstances.report)
    findings.push(
      warn(
        place,
        "is not injected, because the administrator's file has report: true",
        `remove it from the file ${recreate}`,
      ),
    )
  return findings.length > 0 ? findings : [fail(place, missed(pod, circumstances), 'recreate the pod')]
}

export const placeOf = ({ metadata: { namespace, name } }: Pod): string => `pod ${namespace ?? ''}/${name}`

function namespaceFindings(name: string, { namespace, unreadable, values }: Circumstances): Finding[] {
  return unreadable === undefined ? judgeNamespace(namespace, name, values) : [unread(`namespace ${name}`, unreadable)]
}

/** Why a pod has no sidecar that has all labels and annotations. */
function missed({ metadata: { creationTimestamp: createdAt } }: Pod, { registeredAt }: Circumstances): string {
  if (createdAt !== undefined && registeredAt !== undefined && Date.parse(createdAt) < Date.parse(registeredAt))
    return `was created (${createdAt}) before the injector was installed (${registeredAt})`
  return `has no sidecar: ${missReasons.missed.split(';')[0]}`
}
