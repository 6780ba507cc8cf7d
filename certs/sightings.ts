import type { Authority } from './x509.ts'

/** One of our webhook configurations as it is live, with our own webhooks only. */
export interface LiveConfiguration {
  /** kind and name, as in `MutatingWebhookConfiguration akv-injector` */
  id: string
  uid: string
  /** counts changes of the webhooks: labels and annotations do not touch it */
  generation: number
  /** `path` is the entry's own; `segment` is what its calls' segment is derived from (see `segmentOf`), undefined if they have none */
  webhooks: { name: string; authorities: readonly Authority[]; segment: string | undefined; path: string }[]
}

/** Per configuration: since when each authority and path segment has been seen in each of our webhooks, without a gap. */
export type Sightings = ReadonlyMap<string, Sighting>

interface Sighting {
  uid: string
  generation: number
  since: ReadonlyMap<string, number>
}

/**
 * Adds what is live now to what was seen before. An authority's time begins anew when it was missing in between, or may have been:
 * when the configuration was made anew or changed more than once since we last looked. So nothing that happened while we did not
 * look can shorten a settle time; a replica that has just started has seen nothing and waits in full.
 */
export function see(before: Sightings, live: readonly LiveConfiguration[], now: number): Sightings {
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
 * When an authority (its id) or a path segment was first seen in all of our configurations at once; undefined if it is missing in
 * one, or there is no configuration.
 */
export function seenSince(sightings: Sightings, what: string): number | undefined {
  const times = [...sightings.values()].map(({ since }) => since.get(what))
  if (times.length === 0 || times.includes(undefined)) return undefined
  return Math.max(...times.filter((time) => time !== undefined))
}

function inEveryWebhook({ webhooks }: LiveConfiguration): string[] {
  const [first, ...others] = webhooks.map(({ authorities, segment }) => [...authorities.map(({ id }) => id), ...(segment === undefined ? [] : [segment])]) // prettier-ignore
  return (first ?? []).filter((id) => others.every((ids) => ids.includes(id)))
}
