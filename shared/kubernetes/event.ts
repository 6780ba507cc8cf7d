/** What an Event says; the rest of it is the same for all Events of the injector. */
export interface EventContent {
  name: string
  namespace: string
  involvedObject: { apiVersion: string; kind: string; name: string; namespace: string; uid: string }
  type: 'Normal' | 'Warning'
  reason: string
  message: string
  count?: number
  /** When it happened, in milliseconds since 1970. */
  at: number
  /** The name of the webhook's pod. */
  instance: string
}

/** Returns a time as the Kubernetes API writes it, in whole seconds. */
export const eventTime = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')

/** Creates an Event. {@link https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/} */
export function createEvent({ name, namespace, at, instance, count = 1, ...content }: EventContent) {
  const time = eventTime(at)
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace },
    ...content,
    count,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { component: 'akv-injector' },
    reportingComponent: 'akv-injector',
    reportingInstance: instance,
  }
}
