import { X509Certificate } from 'node:crypto'
import type { Cloud } from '../../shared/clouds.ts'
import { fail, ok, type Parsed } from '../../shared/parsed.ts'
import type { Identity, Settings } from '../../shared/settings.ts'

/**
 * The variables that the workload identity webhook sets too: `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` stand in for what an
 * identity of the settings leaves out; `AZURE_FEDERATED_TOKEN_FILE` for where our own token is mounted. A cloud always names
 * its authority, so `AZURE_AUTHORITY_HOST` is not read. `HTTPS_PROXY` and `NO_PROXY` are.
 */
export type Environment = Readonly<Record<string, string | undefined>>

/** Who signs in, and where. */
export interface Party {
  /** Equal for equal parties. */
  key: string
  cloud: Cloud
  authorityHost: string
  tenantId: string
  clientId: string
}

/** Fills in what an identity of the settings leaves to the environment; every problem is returned. */
export function partyOf(
  identity: Identity | undefined,
  clouds: Settings['clouds'],
  environment: Environment,
): Parsed<Party> {
  const cloud = identity && clouds[identity.cloud]
  if (!cloud) return fail(`there is no cloud "${identity?.cloud ?? ''}"`)
  const tenantId = identity.tenantId ?? environment['AZURE_TENANT_ID']
  const clientId = identity.clientId ?? environment['AZURE_CLIENT_ID']
  const authority = URL.parse(cloud.authorityHost)
  const problems: string[] = []
  if (!tenantId) problems.push('there is no tenant id: neither in the settings nor as AZURE_TENANT_ID')
  else if (tenantId.toLowerCase() === 'adfs') problems.push('signing in at AD FS (tenant "adfs") is not supported')
  else if (!/^[0-9a-zA-Z.-]+$/.test(tenantId)) problems.push(`the tenant id ${JSON.stringify(tenantId)} is none`)
  if (!clientId) problems.push('there is no client id: neither in the settings nor as AZURE_CLIENT_ID')
  if (authority?.protocol !== 'https:') {
    problems.push(`cloud ${identity.cloud}: its authorityHost ${JSON.stringify(cloud.authorityHost)} is not an https:// URL; tokens are never asked for over plain http`) // prettier-ignore
  }
  const certificate = certificateProblem(cloud.caCertificates)
  if (certificate !== undefined)
    problems.push(`cloud ${identity.cloud}: its caCertificates cannot be read: ${certificate}`)
  if (problems.length > 0 || !authority || !tenantId || !clientId) return fail(...problems)
  const authorityHost = (authority.origin + authority.pathname).replace(/\/+$/, '')
  return ok({
    key: JSON.stringify([identity.cloud, tenantId.toLowerCase(), clientId.toLowerCase()]),
    ...{ cloud, authorityHost, tenantId, clientId },
  })
}

/** OpenSSL ignores what it cannot read between certificates, so each is looked at. */
function certificateProblem(pem: string | undefined): string | undefined {
  if (pem === undefined) return undefined
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)
  if (!blocks) return 'there is no PEM certificate in it'
  try {
    for (const block of blocks) new X509Certificate(block)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
