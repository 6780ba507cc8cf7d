import { isAnchoredIn, parseCertificates } from '../../certs/x509.ts'
import { decode } from '../../shared/kubernetes/responses.ts'
import { judgeValidity, secretFields, type CertificateSecret } from './certificate.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Deployment } from './objects.ts'
import type { Reader } from './reader.ts'

const { ok, fail, unread } = findingsOf('certificate')
const page = 'coordinator.md#install'

/** What pods expect of the coordinator's certificate. */
export interface Expectation {
  /** The host of the URL in the administrator's file; undefined if it is not known. */
  host: string | undefined
  /** PEM certificates that pods trust in place of the public ones. */
  trusted: string | undefined
  /** Milliseconds since 1970. */
  now: number
}

/** Checks the certificate in the Secret that the coordinator's container mounts. */
export async function checkCoordinatorCertificate(
  reader: Reader,
  namespace: string,
  deployment: Deployment,
  { host, trusted, now }: Expectation,
): Promise<Finding[]> {
  const secret = secretOf(deployment)
  if (secret === undefined)
    return [fail(`Deployment ${namespace}/${deployment.metadata.name}`, 'no volume has the certificate', `see ${page}`)]
  const place = `Secret ${namespace}/${secret}`
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(secret)}`
  const read = await reader.get<CertificateSecret>(path, secretFields)
  if (read.kind === 'unread') return [unread(place, read.reason)]
  if (read.kind === 'missing') return [fail(place, 'does not exist', `create it: ${page}`)]
  const chain = parseCertificates(decode(read.value.data?.['tls.crt'] ?? ''))
  const [leaf] = chain
  if (leaf === undefined) return [fail(place, 'contains no certificate', `create it again: ${page}`)]
  const findings = judgeValidity(place, leaf, now, `renew it, or see the log of cert-manager: ${page}`)
  if (host !== undefined && leaf.checkHost(host) === undefined)
    findings.push(fail(place, `the certificate is not for ${host}, so that pods poll`, `create it again: ${page}`))
  if (trusted !== undefined && !isAnchoredIn(chain, trusted))
    findings.push(
      fail(
        place,
        "the certificates that the administrator's file names do not verify it, so that pods poll",
        'correct `coordinator.caCertificates` or `caCertificatesFile`, and create the pods again',
      ),
    )
  return findings.length > 0
    ? findings
    : [ok(place, `the coordinator's certificate is valid until ${leaf.validToDate.toISOString()}`)]
}

/** Returns the Secret at the folder that the container reads its certificate from. */
function secretOf({ spec }: Deployment): string | undefined {
  const { containers: [container] = [], volumes = [] } = spec.template.spec
  const folder = container?.env?.find(({ name }) => name === 'CERTIFICATES_FOLDER')?.value
  const mount = container?.volumeMounts?.find(({ mountPath }) => mountPath === folder)
  return volumes.find(({ name }) => name === mount?.name)?.secret?.secretName
}
