import { annotationPrefix, injectionLabel, systemLabel, workloadIdentityLabel } from '../shared/names.ts'
import type { Logger } from '../shared/log.ts'
import { wait as realWait } from '../shared/timer.ts'
import { ApiError, type Api } from './cluster/api.ts'
import { eachMetadata } from './cluster/pages.ts'
import type { Metadata } from './cluster/reflector.ts'
import { missReasons, type MissReason } from './reasons.ts'

export interface PodMetadata extends Metadata {
  uid?: string
  deletionTimestamp?: string
}

/** A pod that asked and has no sidecar. */
interface Miss {
  pod: PodMetadata
  reason: MissReason
}

export interface AuditOptions {
  api: Api
  /** Of this very pod, for `reportingInstance`. */
  instance: string
  log: Logger
  /** Told after every look how many pods there are by reason. */
  counted: (counts: Record<MissReason, number>) => void
  /** While it is true no pod is meant to be injected, so none is missed. */
  paused?: () => boolean
  /** Between two looks, in milliseconds, a tenth more or less. */
  interval?: number
  now?: () => number
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>
  random?: () => number
}

const tenMinutes = 600_000
const retry = 60_000
/** New ones beyond these wait for the next look: Events of a whole cluster at once would push out those of others. */
const mostEvents = 100
/** The rest is over, and a sidecar would do nothing for it. */
const running = `fieldSelector=${encodeURIComponent('status.phase!=Succeeded,status.phase!=Failed')}`

/**
 * Looks every ten minutes for pods that asked for a sidecar and have none: counts them by reason, and names each in one Warning
 * Event of its own. Goes on through every failure until `close()`.
 *
 * Only metadata is read, where no container is to be seen: the annotation `status: injected`, which the webhook writes into the
 * very patch that adds the sidecar, stands for it. Every replica looks; an Event's name follows from the pod's uid, so the API
 * server takes the first one only. RBAC: list on `pods` and `namespaces`, create on `events`, cluster-wide.
 */
export function startAudit(options: AuditOptions): { close: () => Promise<void> } {
  const { api, log, counted, paused = () => false, interval = tenMinutes, random = Math.random } = options
  const { wait = realWait } = options
  const closing = new AbortController()
  let told = new Set<string>()

  async function look(): Promise<void> {
    const misses = paused() ? [] : await findMisses(api, closing.signal)
    const counts = Object.fromEntries(Object.keys(missReasons).map((reason) => [reason, 0])) as Record<
      MissReason,
      number
    >
    for (const { reason } of misses) counts[reason]++
    counted(counts)
    const uids = new Set(misses.map(({ pod }) => pod.uid ?? ''))
    told = told.intersection(uids)
    for (const miss of misses.filter(({ pod }) => !told.has(pod.uid ?? '')).slice(0, mostEvents)) {
      await tell(miss, options)
      told.add(miss.pod.uid ?? '')
    }
  }

  async function run(): Promise<void> {
    // A start of all replicas, or of the whole cluster, is not the moment for another list.
    let pause = Math.min(interval, retry) * random()
    while (!closing.signal.aborted) {
      await wait(pause, closing.signal).catch(() => undefined)
      if (closing.signal.aborted) return
      pause = interval * (0.9 + 0.2 * random())
      try {
        await look()
      } catch (error) {
        if (closing.signal.aborted) return
        log.warn({ reason: (error as Error).message }, 'the audit of pods without a sidecar failed, trying again')
        pause = Math.min(interval, retry) * (0.5 + random())
      }
    }
  }

  const ended = run()
  return {
    async close() {
      closing.abort()
      await ended
    },
  }
}

const label = (...names: string[]) => ({ labels: Object.fromEntries(names.map((name) => [name, true as const])) })
const namespaceFields = { name: true, ...label(injectionLabel, systemLabel) } as const
const podFields = {
  name: true,
  namespace: true,
  uid: true,
  deletionTimestamp: true,
  annotations: {
    ...Object.fromEntries(['inject', 'status', 'objects', 'secret-provider-class'].map((name) => [annotationPrefix + name, true as const])), // prettier-ignore
    'kubernetes.io/config.mirror': true,
  },
  ...label(workloadIdentityLabel),
} as const

async function findMisses(api: Api, signal: AbortSignal): Promise<Miss[]> {
  const namespaces = new Map<string, Metadata>()
  const addNamespace = ({ name = '', labels = {} }: Metadata) => namespaces.set(name, { name, labels })
  await eachMetadata(api, '/api/v1/namespaces', namespaceFields, addNamespace, signal)
  const misses: Miss[] = []
  const addPod = (pod: PodMetadata): void => {
    const reason = missOf(pod, namespaces.get(pod.namespace ?? ''))
    const { name = '', namespace = '', uid = '' } = pod
    if (reason !== undefined) misses.push({ pod: { name, namespace, uid }, reason })
  }
  await eachMetadata(api, `/api/v1/pods?${running}`, podFields, addPod, signal)
  return misses
}

/** Why a pod that asked has no sidecar; undefined where it has one, did not ask, or nobody meant it to have one. */
export function missOf(pod: PodMetadata, namespace: Metadata | undefined): MissReason | undefined {
  const of = (name: string): string | undefined => pod.annotations?.[annotationPrefix + name]
  if (of('objects') === undefined && of('secret-provider-class') === undefined) return undefined
  if (of('inject')?.trim() === 'false' || of('status') === 'injected' || pod.deletionTimestamp) return undefined
  // A namespace made after the list is for the next look.
  if (namespace === undefined || namespace.name === 'kube-system') return undefined
  const { [injectionLabel]: injection, [systemLabel]: system } = namespace.labels ?? {}
  if (system === 'true' || injection === 'report') return undefined
  if (injection !== 'enabled') return 'no-namespace-label'
  if (pod.annotations?.['kubernetes.io/config.mirror'] !== undefined) return 'mirror-pod'
  return pod.labels?.[workloadIdentityLabel] === 'true' ? 'missed' : 'no-label'
}

/** One Event, whichever replica is first. */
async function tell({ pod, reason }: Miss, { api, instance, log, now = Date.now }: AuditOptions): Promise<void> {
  const { name, namespace = '', uid } = pod
  const time = new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z')
  const body = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `akv-injector-missed-${uid}`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid },
    type: 'Warning',
    reason: 'InjectionMissed',
    message: `the pod asks for objects of a Key Vault and has no sidecar: ${missReasons[reason]}`,
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { component: 'akv-injector' },
    reportingComponent: 'akv-injector',
    reportingInstance: instance,
  }
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`
  try {
    await api.call({ method: 'POST', path, body, signal: AbortSignal.timeout(5_000) })
    log.warn({ namespace, pod: name, reason }, 'a pod that asked has no sidecar')
  } catch (error) {
    if (!(error instanceof ApiError) || ![403, 404, 409].includes(error.status)) throw error
    // 409: another replica was first. 403 and 404: the namespace is about to go, and takes no Events.
    if (error.status !== 409) log.warn({ namespace, pod: name, reason, error: error.message }, 'a pod that asked has no sidecar, and an Event could not say so') // prettier-ignore
  }
}
