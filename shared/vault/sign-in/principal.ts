import type { Cloud } from '../../clouds/clouds.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { Identity, Settings } from '../../settings/codec.ts'
import { isAdfs } from '../../clouds/tenant.ts'
import { certificateProblem } from '../connections.ts'
import { readTokenProxy, type TokenProxySettings } from './token-proxy.ts'
import type { Environment } from './environment.ts'

/** The identity that signs in, and where. */
export type Principal = PodPrincipal | NodePrincipal

interface Common {
  /** Equal for equal principals. */
  key: string
  cloud: Cloud
  /** Its name in messages and audit lines. */
  name: string
}

/** The pod itself, with its ServiceAccount token. */
export interface PodPrincipal extends Common {
  mode: 'pod'
  authorityHost: string
  tenantId: string
  clientId: string
  /** The name of its token file, unless that is the pod's own. */
  tokenFile: string | undefined
  /** Of an identity binding. */
  proxy: TokenProxySettings | undefined
}

/** The node that the pod runs on. */
export interface NodePrincipal extends Common {
  mode: 'node'
  tenantId: string | undefined
  /** Of a user-assigned identity. */
  clientId: string | undefined
}

/** Fills in what an identity of the settings leaves to the environment; returns every problem. */
export function principalOf(
  identity: Identity | undefined,
  clouds: Settings['clouds'],
  environment: Environment,
): Result<Principal> {
  const cloud = identity && clouds[identity.cloud]
  if (!cloud) return fail(`the settings have no cloud "${identity?.cloud ?? ''}"`)
  const certificate = cloud.caCertificates === undefined ? undefined : certificateProblem(cloud.caCertificates)
  const problems =
    certificate === undefined ? [] : [`cloud ${identity.cloud}: its caCertificates cannot be read: ${certificate}`]
  if (identity.mode === 'node') return problems.length > 0 ? fail(...problems) : ok(nodePrincipal(identity, cloud))

  const tenantId = identity.tenantId ?? environment['AZURE_TENANT_ID']
  const clientId = identity.clientId ?? environment['AZURE_CLIENT_ID']
  const authority = URL.parse(cloud.authorityHost)
  const whose = identity.mode === 'identity-binding' ? webhooks : ''
  if (!tenantId) problems.push(`the tenant ID is missing: neither the settings nor AZURE_TENANT_ID has it${whose}`)
  else if (!/^[0-9a-zA-Z.-]+$/.test(tenantId)) problems.push(`invalid tenant ID ${JSON.stringify(tenantId)}`)
  if (!clientId) problems.push(`the client ID is missing: neither the settings nor AZURE_CLIENT_ID has it${whose}`)
  if (authority?.protocol !== 'https:') {
    problems.push(
      `cloud ${identity.cloud}: its authorityHost ${JSON.stringify(cloud.authorityHost)} is not an https:// URL; tokens are never requested over plain http`,
    )
  }
  const proxy = identity.mode === 'identity-binding' ? readTokenProxy(environment) : ok(undefined)
  if (!proxy.ok) problems.push(...proxy.problems)
  if (problems.length > 0 || !proxy.ok || !authority || !tenantId || !clientId) return fail(...problems)
  return ok({
    key: JSON.stringify([identity.mode ?? 'pod', identity.cloud, tenantId.toLowerCase(), clientId.toLowerCase()]),
    ...{ mode: 'pod', cloud, name: clientId, clientId, tokenFile: identity.tokenFile, proxy: proxy.value },
    tenantId: isAdfs(tenantId) ? 'adfs' : tenantId,
    authorityHost: authorityOf(authority, tenantId),
  })
}

const webhooks =
  "; with an identity binding, the workload identity webhook sets it: does that webhook run, and does the pod's annotation azure.workload.identity/skip-containers exclude the sidecar?"

/** The authority without a trailing slash; Azure Stack Hub's documents show that of AD FS with its tenant at the end. */
function authorityOf({ origin, pathname }: URL, tenantId: string): string {
  const authority = (origin + pathname).replace(/\/+$/, '')
  return isAdfs(tenantId) ? authority.replace(/\/adfs$/i, '') : authority
}

function nodePrincipal({ cloud: cloudName, tenantId, clientId }: Identity, cloud: Cloud): NodePrincipal {
  return {
    key: JSON.stringify(['node', cloudName, tenantId?.toLowerCase() ?? '', clientId?.toLowerCase() ?? '']),
    name: `${clientId ?? 'system-assigned'} of the node`,
    ...{ mode: 'node', cloud, tenantId, clientId },
  }
}
