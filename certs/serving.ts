import { createSecureContext, type SecureContextOptions, type Server } from 'node:tls'
import { parsePair } from './x509.ts'

/** The TLS options that a swap of certificates must keep; the private key and certificate come with each swap. */
export type TlsOptions = Pick<
  SecureContextOptions,
  'minVersion' | 'maxVersion' | 'ciphers' | 'honorCipherOrder' | 'ecdhCurve'
>

const DEFAULT_TLS_OPTIONS: TlsOptions = { minVersion: 'TLSv1.2' }

/** PEM; the certificate includes its chain, if it has one. */
export interface Pair {
  certificate: string
  key: string
}

/** The methods of a server that a change of its certificate needs. */
type HotServer = Pick<Server, 'setSecureContext' | 'once' | 'off'>

export interface Serving {
  /** Returns complete options for `https.createServer`; every handshake fails before the first swap. */
  options(): SecureContextOptions
  /** Gives the server the current certificate and every later one, until it closes or the returned function is called. */
  attach(server: HotServer): () => void
  /**
   * Serves `pair` to every new connection; open ones continue. Throws if certificate and key do not belong together, and keeps the previous
   * pair.
   *
   * Every swap passes the complete options: `setSecureContext({ key, cert })` alone resets the protocol floor.
   */
  swap(pair: Pair): void
}

/** Serves a certificate from memory on running TLS servers. `tls` overrides the defaults (TLS 1.2 and newer). */
export function createServing(tls: TlsOptions = {}): Serving {
  const base = { ...DEFAULT_TLS_OPTIONS, ...tls }
  const servers = new Set<HotServer>()
  let current: SecureContextOptions = base
  return {
    options: () => ({ ...current }),
    attach(server) {
      const detach = () => {
        servers.delete(server)
        server.off('close', detach)
      }
      servers.add(server)
      server.once('close', detach)
      if (current !== base) server.setSecureContext({ ...current })
      return detach
    },
    swap({ certificate, key }) {
      const next = { ...base, cert: certificate, key }
      // Both before any server is changed. OpenSSL accepts an empty certificate or key, but then serves nothing.
      parsePair({ certificate, key })
      createSecureContext(next)
      current = next
      for (const server of servers) server.setSecureContext({ ...next })
    },
  }
}
