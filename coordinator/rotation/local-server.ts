import { createServer, type Server } from 'node:http'
import type { RotationAnswer } from '../../shared/coordination/rotation.ts'

/** The address that only processes of the coordinator's pod reach. */
export const loopback = '127.0.0.1'
/** The path that answers about the rotation of an object. */
export const rotationPath = '/v1/rotation'

const timeouts = { headersTimeout: 5_000, requestTimeout: 5_000, connectionsCheckingInterval: 1_000 }
const mostConnections = 8
/** Characters of a query: the longest URL of a vault and the longest name fit. */
const longestUrl = 2_000

/**
 * The server of answers about rotations, not listening yet. It names pods and their problems, so it listens on {@link loopback} alone: those
 * who may run commands in the coordinator's pod reach it.
 */
export function createLocalServer(answer: (vault: string, name: string) => RotationAnswer): Server {
  const server = createServer({ ...timeouts, maxHeaderSize: 8 * 1024 }, (request, response) => {
    const { method, url = '' } = request
    const parsed = url.length > longestUrl ? null : URL.parse(url, 'http://localhost')
    const [vault, name] = ['vault', 'name'].map((field) => parsed?.searchParams.get(field))
    // A page in a browser that was directed to this port by a name does not know the right one.
    const isLocal = request.headers.host?.startsWith(`${loopback}:`) === true
    if (method !== 'GET' || parsed?.pathname !== rotationPath || !vault || !name || !isLocal) {
      response.writeHead(404, { connection: 'close' }).end()
      return
    }
    response.writeHead(200, { 'content-type': 'application/json', connection: 'close' })
    response.end(JSON.stringify(answer(vault, name)))
  })
  server.maxConnections = mostConnections
  return server
}
