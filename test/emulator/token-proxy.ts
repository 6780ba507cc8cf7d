import { once } from 'node:events'
import { request as httpsRequest, createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Emulator } from './emulator.ts'
import type { Pair } from './tls.ts'

/** The proxy that AKS runs for identity bindings, in front of an emulator's token endpoint. */
export interface TokenProxy {
  /** For `AZURE_KUBERNETES_TOKEN_PROXY`. */
  url: string
  /** What it was asked, with the name that the client asked for by SNI. */
  asked: { path: string; servername: string | false }[]
  /** Serves another certificate from the next connection on. */
  use(pair: Pair): void
  close(): void
}

/** Opens such a proxy on a free port, below the path `prefix`, with a certificate that need not be the emulator's. */
export async function startTokenProxy({ port, ca }: Emulator, pair: Pair, prefix = '/aks'): Promise<TokenProxy> {
  const asked: TokenProxy['asked'] = []
  const server = createServer(pair, (request, response) => {
    const path = request.url ?? ''
    asked.push({ path, servername: (request.socket as TLSSocket & { servername: string | false }).servername })
    if (!path.startsWith(`${prefix}/`)) return void response.writeHead(404).end()
    const headers = { ...request.headers, host: `localhost:${port}` }
    const target = { host: '127.0.0.1', servername: 'localhost', port, ca, path: path.slice(prefix.length) }
    const onward = httpsRequest({ ...target, method: request.method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  }).listen(0, '127.0.0.1')
  // A client that does not trust the certificate is no error here.
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  await once(server, 'listening')
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`,
    asked,
    use: ({ cert, key }) => server.setSecureContext({ cert, key }),
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
