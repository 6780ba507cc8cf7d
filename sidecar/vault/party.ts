import type { Cloud } from '../../shared/clouds.ts'
import { fail, ok, type Parsed } from '../../shared/parsed.ts'
import type { Identity, Settings } from '../../shared/settings.ts'
import { isAdfs } from '../../shared/tenant.ts'
import { certificateProblem } from './connections.ts'
import { readTokenProxy, type TokenProxySettings } from './token-proxy.ts'

/**
 * The variables that the workload identity webhook sets too: `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` stand in for what an
 * identity of the settings leaves out; `AZURE_FEDERATED_TOKEN_FILE` for where our own token is mounted. A cloud always names
 * its authority, so `AZURE_AUTHORITY_HOST` is not read. `HTTPS_PROXY` and `NO_PROXY` are, those of token-proxy.ts, and
 * `AZURE_POD_IDENTITY_AUTHORITY_HOST`, which the Azure SDKs read too: another metadata service than the node's.
 */
export type Environment = Readonly<Record<string, string | undefined>>

/** Who signs in, and where. */
export type Party = PodParty | NodeParty

interface Common {
  /** Equal for equal parties. */
  key: string
  cloud: Cloud
  /** How messages and audit lines call it. */
  name: string
}

/** The pod itself, with its ServiceAccount token. */
export interface PodParty extends Common {
  mode: 'pod'
  authorityHost: string
  tenantId: string
  clientId: string
  /** Name of the file of its token, if that is not the pod's own. */
  tokenFile: string | undefined
  /** Of an identity binding. */
  proxy: TokenProxySettings | undefined
}

/** The node that the pod runs on. */
export interface NodeParty extends Common {
  mode: 'node'
  tenantId: string | undefined
  /** Of a user-assigned identity. */
  clientId: string | undefined
}

/** Fills in what an identity of the settings leaves to the environment; every problem is returned. */
export function partyOf(
  identity: Identity | undefined,
  clouds: Settings['clouds'],
  environment: Environment,
): Parsed<Party> {
  const cloud = identity && clouds[identity.cloud]
  if (!cloud) return fail(`there is no cloud "${identity?.cloud ?? ''}"`)
  const certificate = cloud.caCertificates === undefined ? undefined : certificateProblem(cloud.caCertificates)
  const problems =
    certificate === undefined ? [] : [`cloud ${identity.cloud}: its caCertificates cannot be read: ${certificate}`]
  if (identity.mode === 'node') return problems.length > 0 ? fail(...problems) : ok(nodeParty(identity, cloud))

  const tenantId = identity.tenantId ?? environment['AZURE_TENANT_ID']
  const clientId = identity.clientId ?? environment['AZURE_CLIENT_ID']
  const authority = URL.parse(cloud.authorityHost)
  const whose = identity.mode === 'identity-binding' ? webhooks : ''
  if (!tenantId) problems.push(`there is no tenant id: neither in the settings nor as AZURE_TENANT_ID${whose}`)
  else if (!/^[0-9a-zA-Z.-]+$/.test(tenantId)) problems.push(`the tenant id ${JSON.stringify(tenantId)} is none`)
  if (!clientId) problems.push(`there is no client id: neither in the settings nor as AZURE_CLIENT_ID${whose}`)
  if (authority?.protocol !== 'https:') {
    problems.push(`cloud ${identity.cloud}: its authorityHost ${JSON.stringify(cloud.authorityHost)} is not an https:// URL; tokens are never asked for over plain http`) // prettier-ignore
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
  ", which with an identity binding is the workload identity webhook's to set: does it run, and does the pod's annotation azure.workload.identity/skip-containers leave the sidecar out?"

/** Without a trailing slash; Azure Stack Hub's own documents give that of AD FS with its tenant at the end. */
function authorityOf({ origin, pathname }: URL, tenantId: string): string {
  const authority = (origin + pathname).replace(/\/+$/, '')
  return isAdfs(tenantId) ? authority.replace(/\/adfs$/i, '') : authority
}

function nodeParty({ cloud: cloudName, tenantId, clientId }: Identity, cloud: Cloud): NodeParty {
  return {
    key: JSON.stringify(['node', cloudName, tenantId?.toLowerCase() ?? '', clientId?.toLowerCase() ?? '']),
    name: `${clientId ?? 'system-assigned'} of the node`,
    ...{ mode: 'node', cloud, tenantId, clientId },
  }
}
