import type { Agent } from 'node:https'
import { createSecureContext, type SecureContext } from 'node:tls'
import { fail, ok, type Parsed } from '../../shared/parsed.ts'
import { certificateProblem, proxiedAgent, trusting } from './connections.ts'
import type { Environment } from './party.ts'
import { VaultFailure } from './vault.ts'

/** AKS's proxy for sign-ins by an identity binding. */
export interface TokenProxy {
  /** Its own, for messages. */
  url: string
  /** What to do where its certificate is not trusted. */
  untrusted: string
  /** Where a request for a token goes instead, and over which connection. Throws a {@link VaultFailure} that begins with `place`. */
  route(tokenUrl: string, place: string): Promise<{ url: string; agent: Agent }>
}

/** What the environment says of it. */
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
export function readTokenProxy(environment: Environment): Parsed<TokenProxySettings | undefined> {
  const text = environment['AZURE_KUBERNETES_TOKEN_PROXY']
  const names = ['AZURE_KUBERNETES_CA_FILE', 'AZURE_KUBERNETES_CA_DATA', 'AZURE_KUBERNETES_SNI_NAME'] as const
  const [file, data, servername] = names.map((name) => environment[name] || undefined)
  if (!text) {
    const lone = names.filter((name) => environment[name])
    return lone.length > 0 ? fail(`${lone.join(' and ')} without AZURE_KUBERNETES_TOKEN_PROXY`) : ok(undefined)
  }
  const problems: string[] = []
  const url = URL.parse(text)
  if (url?.protocol !== 'https:' || url.username || url.password || url.search || url.hash)
    problems.push('AZURE_KUBERNETES_TOKEN_PROXY is not an https:// URL of a host and a path')
  if (file && data) problems.push('AZURE_KUBERNETES_CA_FILE and AZURE_KUBERNETES_CA_DATA are both set')
  const problem = data === undefined ? undefined : certificateProblem(data)
  if (problem !== undefined) problems.push(`AZURE_KUBERNETES_CA_DATA cannot be read: ${problem}`)
  if (problems.length > 0 || !url) return fail(...problems)
  return ok({ url, servername, authority: file ? { file } : data ? { data } : undefined })
}

interface Surroundings {
  environment: Environment
  /** PEM certificates that are trusted, beside the public ones, where the proxy has no authority of its own. */
  caCertificates: string | undefined
  readText: (path: string) => Promise<string>
}

/** The proxy that a pod's environment tells of. */
export function tokenProxy(settings: TokenProxySettings, surroundings: Surroundings): TokenProxy {
  const { url: proxy, servername, authority } = settings
  const contextOf = trust(authority, surroundings)
  const options = { keepAlive: false, ...(servername && { servername }) }
  const base = proxy.origin + proxy.pathname.replace(/\/*$/, '')
  return {
    url: base,
    untrusted: `the token proxy's is what ${authority && 'file' in authority ? `AZURE_KUBERNETES_CA_FILE (${authority.file})` : 'AZURE_KUBERNETES_CA_DATA'} should hold`, // prettier-ignore
    async route(tokenUrl, place) {
      const secureContext = await contextOf(place)
      const agent = proxiedAgent(surroundings.environment, { ...options, ...(secureContext && { secureContext }) })
      return { url: base + new URL(tokenUrl).pathname, agent }
    },
  }
}

/** What the proxy's certificate is held against; a file is read at each sign-in, and while it is empty its last content holds. */
function trust(authority: TokenProxySettings['authority'], { caCertificates, readText }: Surroundings) {
  let last = authority && 'data' in authority ? authority.data : undefined
  return async (place: string): Promise<SecureContext | undefined> => {
    if (authority && 'file' in authority) last = await readAuthority(authority.file, last, place, readText)
    if (last !== undefined) return createSecureContext({ ca: last })
    return caCertificates === undefined ? undefined : trusting(caCertificates)
  }
}

async function readAuthority(
  file: string,
  last: string | undefined,
  place: string,
  readText: Surroundings['readText'],
): Promise<string> {
  const what = `${place}: AZURE_KUBERNETES_CA_FILE`
  const text = await readText(file).catch(({ code, message }: NodeJS.ErrnoException) => {
    throw new VaultFailure('sign-in', `${what} cannot be read: ${message}`, { code })
  })
  // It is replaced while we run, and may be empty for a moment.
  if (text === '' && last !== undefined) return last
  const problem = certificateProblem(text)
  if (problem !== undefined) throw new VaultFailure('sign-in', `${what} (${file}) cannot be used: ${problem}`)
  return text
}
