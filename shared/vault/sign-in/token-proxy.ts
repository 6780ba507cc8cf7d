import type { Agent } from 'node:https'
import { createSecureContext, type SecureContext } from 'node:tls'
import { fail, ok, type Result } from '../../result.ts'
import { certificateProblem, createProxiedAgent, createTrustContext } from '../connections.ts'
import type { Environment } from './environment.ts'
import { VaultFailure } from '../store.ts'

/** AKS's proxy for sign-ins by an identity binding. */
export interface TokenProxy {
  /** Its own, for messages. */
  url: string
  /** What to do if its certificate is not trusted. */
  untrusted: string
  /** Where a request for a token goes instead, and over which connection. Throws a {@link VaultFailure} that begins with `place`. */
  route(tokenUrl: string, place: string): Promise<{ url: string; agent: Agent }>
}

/** The proxy's settings in the environment. */
export interface TokenProxySettings {
  url: URL
  /** PEM certificates, or a file of them: what alone is trusted. */
  authority: { file: string } | { data: string } | undefined
  servername: string | undefined
}

/**
 * Reads what the workload identity webhook of AKS tells of its proxy, as the Azure SDKs' `enableAzureProxy` does:
 * `AZURE_KUBERNETES_TOKEN_PROXY` (an https URL, to whose path the authority's is added), `AZURE_KUBERNETES_CA_FILE` or
 * `AZURE_KUBERNETES_CA_DATA` (what alone is trusted then; the file may change) and `AZURE_KUBERNETES_SNI_NAME` (the name that its
 * certificate is for). Without the first, tokens are asked for at the authority itself.
 */
export function readTokenProxy(environment: Environment): Result<TokenProxySettings | undefined> {
  const text = environment['AZURE_KUBERNETES_TOKEN_PROXY']
  const names = ['AZURE_KUBERNETES_CA_FILE', 'AZURE_KUBERNETES_CA_DATA', 'AZURE_KUBERNETES_SNI_NAME'] as const
  const [file, data, servername] = names.map((name) => environment[name] || undefined)
  if (!text) {
    const lone = names.filter((name) => environment[name])
    return lone.length > 0 ? fail(`${lone.join(' and ')} set without AZURE_KUBERNETES_TOKEN_PROXY`) : ok(undefined)
  }
  const problems: string[] = []
  const url = URL.parse(text)
  if (url?.protocol !== 'https:' || url.username || url.password || url.search || url.hash)
    problems.push('AZURE_KUBERNETES_TOKEN_PROXY must be an https:// URL with only a host and a path')
  if (file && data) problems.push('AZURE_KUBERNETES_CA_FILE and AZURE_KUBERNETES_CA_DATA are both set: remove one')
  const problem = data === undefined ? undefined : certificateProblem(data)
  if (problem !== undefined) problems.push(`AZURE_KUBERNETES_CA_DATA cannot be read: ${problem}`)
  if (problems.length > 0 || !url) return fail(...problems)
  return ok({ url, servername, authority: file ? { file } : data ? { data } : undefined })
}

interface ProxyDependencies {
  environment: Environment
  /** PEM certificates to trust in addition to the public ones if the proxy has no authority of its own. */
  caCertificates: string | undefined
  readText: (path: string) => Promise<string>
}

/** Creates the proxy that a pod's environment specifies. */
export function createTokenProxy(settings: TokenProxySettings, dependencies: ProxyDependencies): TokenProxy {
  const { url: proxy, servername, authority } = settings
  const contextOf = trust(authority, dependencies)
  const options = { keepAlive: false, ...(servername && { servername }) }
  const base = proxy.origin + proxy.pathname.replace(/\/*$/, '')
  return {
    url: base,
    untrusted: `its CA must be in ${authority && 'file' in authority ? `AZURE_KUBERNETES_CA_FILE (${authority.file})` : 'AZURE_KUBERNETES_CA_DATA'}`,
    async route(tokenUrl, place) {
      const secureContext = await contextOf(place)
      const agent = createProxiedAgent(dependencies.environment, {
        ...options,
        ...(secureContext && { secureContext }),
      })
      return { url: base + new URL(tokenUrl).pathname, agent }
    },
  }
}

/** What the proxy's certificate is held against; a file is read at each sign-in, and while it is empty its last content holds. */
function trust(authority: TokenProxySettings['authority'], { caCertificates, readText }: ProxyDependencies) {
  let last = authority && 'data' in authority ? authority.data : undefined
  return async (place: string): Promise<SecureContext | undefined> => {
    if (authority && 'file' in authority) last = await readAuthority(authority.file, last, place, readText)
    if (last !== undefined) return createSecureContext({ ca: last })
    return caCertificates === undefined ? undefined : createTrustContext(caCertificates)
  }
}

async function readAuthority(
  file: string,
  last: string | undefined,
  place: string,
  readText: ProxyDependencies['readText'],
): Promise<string> {
  const what = `${place}: AZURE_KUBERNETES_CA_FILE`
  const text = await readText(file).catch(({ code, message }: NodeJS.ErrnoException) => {
    throw new VaultFailure('sign-in', `${what} cannot be read: ${message}`, { code })
  })
  // The file is replaced while the sidecar runs, and may be empty for a moment.
  if (text === '' && last !== undefined) return last
  const problem = certificateProblem(text)
  if (problem !== undefined) throw new VaultFailure('sign-in', `${what} (${file}) cannot be used: ${problem}`)
  return text
}
