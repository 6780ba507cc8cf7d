import { callSegment } from '../../certs/segments.ts'
import { settleDown, type Call, type Replica, type CertificateModel } from './model.ts'

/** What callers would reject, and must not: a sentence, or undefined. */
export function broken(model: CertificateModel, { lag }: { lag: boolean }): string | undefined {
  if (model.tooEarly.length > 0) return model.tooEarly.join('; ')
  for (const replica of model.replicas) {
    if (!replica.certificates.readiness().ready || replica.read < model.interference) continue
    const { id, authority, notAfter } = replica.serving!
    if (notAfter <= model.now) return `a ready replica serves ${id}, which has ended`
    if (!model.trusted.has(authority))
      return `a ready replica serves ${id} of ${authority}, and callers trust ${[...model.trusted].join()}`
    const rejected = model.calls.find((call) => !accepts(replica, call))
    if (rejected) return `a ready replica rejects calls of ${describe(rejected)}, which callers make`
    if (!lag || model.urgent.has(authority)) continue
    const lagging = model.trustedBefore
      .filter((before) => isBehind(before, model))
      .flatMap(({ calls }) => calls)
      .find((call) => !accepts(replica, call))
    if (lagging) return `a ready replica rejects calls of ${describe(lagging)}, which a caller that is behind makes`
    const late = model.trustedBefore.find((before) => isBehind(before, model) && !before.trusted.has(authority))
    if (late)
      return `a ready replica serves ${id} of ${authority}, and a caller that is behind trusts ${[...late.trusted].join()}`
  }
  return undefined
}

const describe = ({ path, segment }: Call): string => `${path} with the segment ${segment}`

const accepts = ({ certificates }: Replica, { path, segment }: Call): boolean =>
  certificates.segments?.(path).some((one) => one === segment) ?? false

/** Callers may be behind by the propagation time; before the first publication there is nothing to be behind of. */
function isBehind(
  { until, trusted }: { until: number; trusted: Set<string> },
  { now, lifetimes: { propagationMs } }: CertificateModel,
): boolean {
  return trusted.size > 0 && now < until + propagationMs
}

/** Why the replicas are not yet of one mind: a sentence, or undefined. */
export function disagreement(model: CertificateModel): string | undefined {
  const notReady = model.replicas.map(({ certificates }) => certificates.readiness().reason).filter((reason) => reason)
  if (notReady.length > 0) return notReady.join('; ')
  const data = model.secret!.data
  if (model.replicas.some(({ serving }) => serving?.pem !== data['tls.crt']))
    return 'not all serve what is in the Secret'
  if (model.configurations.some(({ webhooks }) => webhooks.some(({ caBundle }) => caBundle !== data['ca.crt']))) {
    return 'a caBundle is not what is in the Secret'
  }
  const segments = JSON.parse(data['path-segments.json'] ?? '[]') as string[]
  // An entry whose segment was changed while two authorities were in use keeps it for as long as both are.
  const strange = model.calls.find(({ path, segment }) => segments.every((one) => callSegment(one, path) !== segment))
  return strange && `${describe(strange)} is not in the Secret`
}

export async function endAll(model: CertificateModel): Promise<void> {
  for (const replica of [...model.replicas] as Replica[]) model.kill(replica)
  await settleDown()
}
