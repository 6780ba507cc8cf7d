import type { X509Certificate } from 'node:crypto'
import { isAnchoredIn, parseCertificates } from '../../certs/x509.ts'
import { decode } from '../../shared/kubernetes/responses.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Installation } from './installation.ts'
import type { Read, Reader } from './reader.ts'
import type { RegisteredEntry } from './registrations.ts'

const { ok, warn, fail, unread } = findingsOf('certificate')

/** The public part of the Secret; the private keys in it are not kept. */
export interface CertificateSecret {
  data?: { 'tls.crt'?: string } | null
}
export const secretFields = { data: { 'tls.crt': true } } as const

const dayMs = 86_400_000
/** A certificate is renewed after two thirds of its lifetime. */
const renewedAfter = 2 / 3
/** The renewal may be retried for a while. */
const lateAfter = 0.75

/** Returns the name of the Secret with the certificate; undefined if no volume of the container is at its folder. */
export function secretOf({ platform, container, halves }: Installation): string | undefined {
  const { certificates } = platform
  if (!('folder' in certificates)) return certificates.secretName
  const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === certificates.folder)
  const { volumes = [] } = (halves.webhook ?? halves.standby)?.spec.template.spec ?? {}
  return volumes.find(({ name }) => name === mount?.name)?.secret?.secretName
}

export async function checkCertificate(
  reader: Reader,
  installation: Installation,
  entries: readonly RegisteredEntry[],
  now: number,
): Promise<Finding[]> {
  const { namespace } = installation
  const secret = secretOf(installation)
  if (secret === undefined)
    return [fail(`namespace ${namespace}`, 'no volume has the certificate', 'kubectl apply -k your overlay')]
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(secret)}`
  return judgeCertificate(installation, secret, await reader.get<CertificateSecret>(path, secretFields), entries, now)
}

/**
 * Says whether a certificate is out of date.
 * @param now milliseconds since 1970
 * @param renew what to do about it
 */
export function judgeValidity(place: string, leaf: X509Certificate, now: number, renew: string): Finding[] {
  const findings: Finding[] = []
  const [from, to] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()]
  const date = leaf.validToDate.toISOString()
  if (now >= to) findings.push(fail(place, `the certificate expired at ${date}`, renew))
  else if (now < from)
    findings.push(fail(place, `the certificate is not valid before ${leaf.validFromDate.toISOString()}`, renew))
  else if (now > from + lateAfter * (to - from))
    findings.push(
      warn(
        place,
        `the certificate expires at ${date} and should have been renewed after two thirds of its lifetime`,
        renew,
      ),
    )
  return findings
}

/** @param now milliseconds since 1970 */
export function judgeCertificate(
  { namespace, platform }: Installation,
  secret: string,
  read: Read<CertificateSecret>,
  entries: readonly RegisteredEntry[],
  now: number,
): Finding[] {
  const place = `Secret ${namespace}/${secret}`
  const renew =
    'folder' in platform.certificates
      ? `kubectl describe certificate -n ${namespace}, and the log of cert-manager`
      : `kubectl logs -n ${namespace} -l app.kubernetes.io/name=akv-injector`
  if (read.kind === 'unread') return [unread(place, read.reason)]
  if (read.kind === 'missing') return [fail(place, 'does not exist', `kubectl apply -k your overlay; ${renew}`)]
  const chain = parseCertificates(decode(read.value.data?.['tls.crt'] ?? ''))
  const [leaf] = chain
  if (leaf === undefined) return [fail(place, 'contains no certificate', renew)]

  const findings = judgeValidity(place, leaf, now, renew)
  // The API server verifies this one of a Service's names.
  const names = platform.services.map((name) => `${name}.${namespace}.svc`)
  const uncovered = names.filter((name) => leaf.checkHost(name) === undefined)
  if (uncovered.length > 0) findings.push(fail(place, `the certificate is not for ${uncovered.join(' and ')}`, renew))
  // A missing caBundle is a finding about the registration.
  const distrusting = entries.filter(({ entry: { clientConfig } }) => {
    const bundle = clientConfig.caBundle ?? ''
    return bundle !== '' && !isAnchoredIn(chain, decode(bundle))
  })
  for (const { place: at } of distrusting)
    findings.push(fail(at, `caBundle does not verify the certificate in ${place}`, renew))
  if (findings.length > 0) return findings
  const [from, to] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()]
  const renewal = from + renewedAfter * (to - from) - now
  const next = renewal > 0 ? `, is renewed in ${Math.ceil(renewal / dayMs)} days` : ''
  return [
    ok(
      place,
      `the certificate is valid until ${leaf.validToDate.toISOString()}${next}, and every caBundle verifies it`,
    ),
  ]
}
