import { createSecureContext, type SecureContextOptions, type Server } from 'node:tls'
import { parsePair } from './x509.ts'

/** The part of the TLS options that a swap of certificates must not lose; the private key and certificate come with each swap. */
export type TlsOptions = Pick<
  SecureContextOptions,
  'minVersion' | 'maxVersion' | 'ciphers' | 'honorCipherOrder' | 'ecdhCurve'
>

const DEFAULT_TLS_OPTIONS: TlsOptions = { minVersion: 'TLSv1.2' }

/** PEM, the certificate with its chain where it has one. */
export interface Pair {
  certificate: string
  key: string
}

/** What a server is given when its certificate changes. */
type HotServer = Pick<Server, 'setSecureContext' | 'once' | 'off'>

export interface Serving {
  /** Complete options for `https.createServer`; without certificate before the first swap, so every handshake fails until then. */
  options(): SecureContextOptions
  /** Gives the server what is served now and from now on, until it closes or the returned function is called. */
  attach(server: HotServer): () => void
  /**
   * Serves `pair` to every new connection; open ones go on. Throws, and goes on serving what it did, when the pair is not one.
   *
   * Every swap passes the complete options: `setSecureContext({ key, cert })` alone resets the protocol floor.
   */
  swap(pair: Pair): void
}

/** Serves a certificate from memory on running TLS servers. `tls` is added to the defaults (TLS 1.2 and newer). */
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
      // Both before any server is touched. OpenSSL finds no fault with an empty certificate or key: it serves nothing then.
      parsePair({ certificate, key })
      createSecureContext(next)
      current = next
      for (const server of servers) server.setSecureContext({ ...next })
    },
  }
}
