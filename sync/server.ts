import { createServer, type Server } from 'node:http'
import { limitConnections } from '../shared/connection-limits.ts'

/** What is served over HTTP, to probes and to Prometheus. */
export interface Pages {
  /** Why the program does not work yet; undefined if it does. */
  notReady: () => string | undefined
  metrics: () => Promise<string>
}

/** Every pod in the network can reach the port, and the kubelet's probes must get through whatever those pods send. */
const limits = { total: 64, perAddress: 16, closeBusy: true, lifetimeMs: 10_000 }

/** Serves `/livez`, `/readyz` and `/metrics` on a port; 0 lets the system choose one. */
export async function serve({ notReady, metrics }: Pages, port: number): Promise<Server> {
  const server = createServer({ requestTimeout: 3_000, maxHeaderSize: 8 * 1024 }, (request, response) => {
    const send = (status: number, text: string): void =>
      void response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
    const reason = notReady()
    switch (request.method === 'GET' ? request.url : undefined) {
      case '/livez':
        return send(200, 'ok\n')
      case '/readyz':
        return send(reason === undefined ? 200 : 503, `${reason ?? 'ok'}\n`)
      case '/metrics':
        return void metrics().then((text) => send(200, text))
      default:
        return send(404, 'not found\n')
    }
  })
  limitConnections(server, limits)
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, resolve))
  return server
}
