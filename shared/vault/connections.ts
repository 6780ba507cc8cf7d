import type { ClientRequest } from 'node:http'
import type { Agent, AgentOptions, RequestOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext } from 'node:tls'
import { readNoProxy } from '../no-proxy.ts'
import { LimitedHttpsAgent } from './connect-timeout.ts'

export { certificateProblem } from '../pem.ts'

/** The environment's proxy settings, which Node's agents understand (`HTTPS_PROXY`, `NO_PROXY`, either case). */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>

/** Reaches the hosts of NO_PROXY directly, which Node's agents read differently from curl and Go. */
class ProxyAgent extends LimitedHttpsAgent {
  readonly #direct: Agent
  readonly #bypasses: (host: string, port: string) => boolean

  constructor(options: AgentOptions, { proxyEnv, bypasses }: ProxyRoute) {
    super({ ...options, ...(proxyEnv && { proxyEnv }) })
    this.#direct = new LimitedHttpsAgent(options)
    this.#bypasses = bypasses
  }

  override createConnection(options: RequestOptions, callback?: (error: Error | null, stream: Duplex) => void) {
    const agent = this.#bypasses(options.host ?? 'localhost', String(options.port ?? 443)) ? this.#direct : undefined
    return agent === undefined ? super.createConnection(options, callback) : agent.createConnection(options, callback)
  }
}

/** Keeps connections open between polls and reports when one of them is reused. */
class WatchedAgent extends ProxyAgent {
  readonly #onReuse: () => void

  constructor(options: AgentOptions, route: ProxyRoute, onReuse: () => void) {
    super(options, route)
    this.#onReuse = onReuse
  }

  // Called synchronously by https.request(), in the asynchronous context of the caller.
  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    super.reuseSocket(socket, request)
    this.#onReuse()
  }
}

/** The connections to one cloud, with shared sockets and TLS sessions. */
export interface Connections {
  /** To vaults: kept open between requests. */
  readonly vault: Agent
  /** To the sign-in service, which receives a request every half hour: not kept open. */
  readonly signIn: Agent
  /** Ends idle connections: if one proves dead, the others of its age are dead too. */
  dropIdle(): void
  close(): void
}

export interface ConnectionOptions {
  /** PEM certificates to trust in addition to the public ones. */
  caCertificates?: string | undefined
  proxy?: ProxyEnvironment
  /** Called, in the context of the request, when it goes out on a connection that was used before. */
  onReuse?: () => void
}

/** @throws OpenSSL's error if `caCertificates` cannot be read */
export function createConnections({ caCertificates, proxy = {}, onReuse = () => {} }: ConnectionOptions): Connections {
  const options = {
    // A context made once: as `ca`, a hundred certificates would be parsed for each connection.
    ...(caCertificates !== undefined && { secureContext: createTrustContext(caCertificates) }),
  }
  const route = proxyRoute(proxy)
  const vault = new WatchedAgent({ ...options, keepAlive: true }, route, onReuse)
  const signIn = new ProxyAgent({ ...options, keepAlive: false }, route)
  return {
    vault,
    signIn,
    dropIdle() {
      for (const sockets of Object.values(vault.freeSockets)) sockets?.forEach((socket) => socket.destroy())
    },
    close() {
      vault.destroy()
      signIn.destroy()
    },
  }
}

/** A context that trusts the public certificates and these. */
export function createTrustContext(caCertificates: string): SecureContext {
  const secure = createSecureContext()
  // Undocumented, but 2 MB of memory and 20 ms less than to read every public certificate a second time for the option `ca`.
  const native = secure.context as { addCACert(pem: string): void }
  native.addCACert(caCertificates)
  return secure
}

/** An agent for a single host, through the proxy that the environment specifies. */
export const createProxiedAgent = (environment: ProxyEnvironment, options: AgentOptions): Agent =>
  new ProxyAgent(options, proxyRoute(environment))

interface ProxyRoute {
  proxyEnv?: Record<string, string | undefined>
  bypasses: (host: string, port: string) => boolean
}

/** The proxy settings for Node's agents, and the hosts that are reached directly; lower case comes first, as in curl. */
function proxyRoute(environment: ProxyEnvironment): ProxyRoute {
  const settings = Object.entries(environment).filter(([name]) => /^https?_proxy$/i.test(name))
  const { bypasses } = readNoProxy(environment['no_proxy'] || environment['NO_PROXY'] || '')
  return { ...(settings.length > 0 && { proxyEnv: Object.fromEntries(settings) }), bypasses }
}
