import { settleDown, type Replica, type World } from './model.ts'

/** What callers would reject, and must not: a sentence, or undefined. */
export function broken(world: World, { lag }: { lag: boolean }): string | undefined {
  if (world.tooEarly.length > 0) return world.tooEarly.join('; ')
  for (const replica of world.replicas) {
    if (!replica.certificates.readiness().ready || replica.read < world.interference) continue
    const { id, authority, notAfter } = replica.serving!
    if (notAfter <= world.now) return `a ready replica serves ${id}, which has ended`
    if (!world.trusted.has(authority))
      return `a ready replica serves ${id} of ${authority}, and callers trust ${[...world.trusted].join()}`
    const accepted = replica.certificates.segments?.() ?? []
    for (const segment of world.segments)
      if (segment === undefined || !accepted.includes(segment))
        return `a ready replica rejects calls with the segment ${segment}, which callers use; it accepts ${accepted.join()}`
    if (!lag || world.urgent.has(authority)) continue
    const lagging = world.trustedBefore
      .filter((before) => isBehind(before, world))
      .flatMap(({ segments }) => [...segments])
    const rejected = lagging.find((segment) => !accepted.includes(segment))
    if (rejected)
      return `a ready replica rejects calls with the segment ${rejected}, which a caller that is behind uses`
    const late = world.trustedBefore.find((before) => isBehind(before, world) && !before.trusted.has(authority))
    if (late)
      return `a ready replica serves ${id} of ${authority}, and a caller that is behind trusts ${[...late.trusted].join()}`
  }
  return undefined
}

/** Callers may be behind by the settle time; before the first publication there is nothing to be behind of. */
function isBehind(
  { until, trusted }: { until: number; trusted: Set<string> },
  { now, lifetimes: { settle } }: World,
): boolean {
  return trusted.size > 0 && now < until + settle
}

/** Why the replicas are not yet of one mind: a sentence, or undefined. */
export function disagreement(world: World): string | undefined {
  const notReady = world.replicas.map(({ certificates }) => certificates.readiness().reason).filter((reason) => reason)
  if (notReady.length > 0) return notReady.join('; ')
  const data = world.secret!.data
  if (world.replicas.some(({ serving }) => serving?.pem !== data['tls.crt']))
    return 'not all serve what is in the Secret'
  if (world.configurations.some(({ webhooks }) => webhooks.some(({ caBundle }) => caBundle !== data['ca.crt']))) {
    return 'a caBundle is not what is in the Secret'
  }
  const segments = JSON.parse(data['path-segments.json'] ?? '[]') as string[]
  if (world.segments.size !== 1) return `callers use ${world.segments.size} segments`
  if ([...world.segments].some((segment) => !segments.includes(segment ?? ''))) return 'a segment is not in the Secret'
  return undefined
}

export async function endAll(world: World): Promise<void> {
  for (const replica of [...world.replicas] as Replica[]) world.kill(replica)
  await settleDown()
}
