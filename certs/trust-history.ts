import type { Authority } from './x509.ts'

/** A live webhook configuration with the injector's webhooks only. */
export interface LiveConfiguration {
  /** kind and name, as in `MutatingWebhookConfiguration akv-injector` */
  id: string
  uid: string
  /** counts changes of the webhooks: labels and annotations do not touch it */
  generation: number
  /** `path` is the entry's own; `segment` is what its calls' segment is derived from (see `segmentOf`), undefined if they have none */
  webhooks: { name: string; authorities: readonly Authority[]; segment: string | undefined; path: string }[]
}

/** By configuration: since when each authority and path segment has been observed in every webhook, without a gap. */
export type TrustHistory = ReadonlyMap<string, ObservedTrust>

interface ObservedTrust {
  uid: string
  generation: number
  since: ReadonlyMap<string, number>
}

/**
 * Adds what is live now to the history. An authority's time restarts if it was missing in between, or may have been: if the configuration was
 * recreated or changed more than once since the last observation. So nothing that happened between two observations can shorten a propagation
 * time; a replica that has just started has no history and waits in full.
 */
export function observe(before: TrustHistory, live: readonly LiveConfiguration[], now: number): TrustHistory {
  return new Map(
    live.map((configuration) => {
      const { id, uid, generation } = configuration
      const last = before.get(id)
      const unbroken = last?.uid === uid && generation >= last.generation && generation <= last.generation + 1
      const since = inEveryWebhook(configuration).map((authority): [string, number] => [
        authority,
        (unbroken ? last.since.get(authority) : undefined) ?? now,
      ])
      return [id, { uid, generation, since: new Map(since) }]
    }),
  )
}

/**
 * Returns since when an authority (by ID) or a path segment has been observed in all configurations; undefined if one lacks it, or there is no
 * configuration.
 */
export function trustedSince(history: TrustHistory, id: string): number | undefined {
  const times = [...history.values()].map(({ since }) => since.get(id))
  if (times.length === 0 || times.includes(undefined)) return undefined
  return Math.max(...times.filter((time) => time !== undefined))
}

function inEveryWebhook({ webhooks }: LiveConfiguration): string[] {
  const [first, ...others] = webhooks.map(({ authorities, segment }) => [
    ...authorities.map(({ id }) => id),
    ...(segment === undefined ? [] : [segment]),
  ])
  return (first ?? []).filter((id) => others.every((ids) => ids.includes(id)))
}
