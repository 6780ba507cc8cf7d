import { X509Certificate } from 'node:crypto'
import type { ClientRequest } from 'node:http'
import type { Agent, AgentOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext } from 'node:tls'
import { LimitedHttpsAgent } from './connect-timeout.ts'

/** The environment's proxy settings, which Node's agents understand (`HTTPS_PROXY`, `NO_PROXY`, either case). */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>

/** Keeps connections open between polls and tells when one of them is used again. */
class WatchedAgent extends LimitedHttpsAgent {
  readonly #onReuse: () => void

  constructor(options: AgentOptions, onReuse: () => void) {
    super(options)
    this.#onReuse = onReuse
  }

  // Called synchronously from within https.request(), in the asynchronous context of whoever asks.
  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    super.reuseSocket(socket, request)
    this.#onReuse()
  }
}

/** The connections to one cloud: those who talk to it share sockets and TLS sessions. */
export interface Connections {
  /** To vaults: kept open between requests. */
  readonly vault: Agent
  /** To the sign-in service, which is asked once in half an hour: not kept. */
  readonly signIn: Agent
  /** Ends idle connections: when one proves dead, the others of its age are too. */
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

/** Throws what OpenSSL says where `caCertificates` cannot be read. */
export function connections({ caCertificates, proxy = {}, onReuse = () => {} }: ConnectionOptions): Connections {
  const options = {
    // A context made once: as `ca`, a hundred certificates would be parsed for each connection.
    ...(caCertificates !== undefined && { secureContext: trusting(caCertificates) }),
    ...proxyOptions(proxy),
  }
  const vault = new WatchedAgent({ ...options, keepAlive: true }, onReuse)
  const signIn = new LimitedHttpsAgent({ ...options, keepAlive: false })
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

/** The public certificates and these. */
export function trusting(caCertificates: string): SecureContext {
  const secure = createSecureContext()
  // Undocumented, but 2 MB of memory and 20 ms less than to read every public certificate a second time for the option `ca`.
  const native = secure.context as { addCACert(pem: string): void }
  native.addCACert(caCertificates)
  return secure
}

export function proxyOptions(environment: ProxyEnvironment): AgentOptions {
  const settings = Object.entries(environment).filter(([name]) => /^(https?|no)_proxy$/i.test(name))
  return settings.length > 0 ? { proxyEnv: Object.fromEntries(settings) } : {}
}

/** What is wrong with PEM certificates; OpenSSL ignores what it cannot read between them, so each is looked at. */
export function certificateProblem(pem: string): string | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)
  if (!blocks) return 'there is no PEM certificate in it'
  try {
    for (const block of blocks) new X509Certificate(block)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
