import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'

/**
 * An HTTP proxy (CONNECT only) that leads every host to the emulator's port, so that a client with HTTPS_PROXY reaches vaults
 * and authorities of any name, whatever the machine's resolver makes of them. Goes nowhere else.
 */
export function makeProxy(emulatorPort: () => number): { server: Server; closeConnections: () => void } {
  const sockets = new Set<Socket>()
  const track = (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
  }
  const server = createServer((_request, response) => response.writeHead(405, { Allow: 'CONNECT' }).end())
  server.on('connect', (_request, client: Socket, head: Buffer) => {
    const upstream = connect(emulatorPort(), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      upstream.write(head)
      upstream.pipe(client).pipe(upstream)
    })
    track(client)
    track(upstream)
    client.once('close', () => upstream.destroy())
    upstream.once('close', () => client.destroy())
  })
  return { server, closeConnections: () => sockets.forEach((socket) => socket.destroy()) }
}
