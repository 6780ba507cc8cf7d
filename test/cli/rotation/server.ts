import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'

/** A frame as a server sends it. */
export function frame(opcode: number, payload: Buffer, isLast = true): Buffer {
  const first = (isLast ? 0x80 : 0) | opcode
  const { length } = payload
  if (length < 126) return Buffer.concat([Buffer.from([first, length]), payload])
  const header = Buffer.alloc(length < 65_536 ? 4 : 10)
  header[0] = first
  header[1] = length < 65_536 ? 126 : 127
  if (length < 65_536) header.writeUInt16BE(length, 2)
  else header.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([header, payload])
}

const onChannel = (channel: number, text: string): Buffer =>
  frame(2, Buffer.concat([Buffer.from([channel]), Buffer.from(text)]))

/** How a program that is run in a container ends; without a code, with a failure of the API server. */
export interface Program {
  code?: number
  out?: string
  err?: string
}

/** An API server with pods, and with one program that is run in them. */
export async function apiServer(t: Test) {
  const state = { pods: [] as object[], coordinators: [] as object[], program: { code: 0 } as Program, status: 200 }
  const executed: URLSearchParams[] = []
  const pongs: string[] = []
  const server = http.createServer(({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://localhost')
    const isSelected = searchParams.has('labelSelector')
    response.writeHead(isSelected ? 200 : state.status, { 'content-type': 'application/json' })
    if (!isSelected && state.status !== 200) return void response.end('{"message":"you may not list pods"}')
    const items = isSelected ? state.coordinators : state.pods
    response.end(JSON.stringify({ items: pathname.endsWith('/pods') ? items : [] }))
  })
  server.on('upgrade', (request, socket) => {
    executed.push(new URL(request.url ?? '', 'http://localhost').searchParams)
    const { code, out = '', err = '' } = state.program
    if (code === undefined) {
      const body = '{"message":"pods \\"c\\" is forbidden"}'
      return void socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    }
    const key = `${request.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accept = createHash('sha1').update(key).digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    )
    socket.write(frame(9, Buffer.from('are you there')))
    socket.once('data', (chunk: Buffer) => {
      pongs.push(chunk.subarray(6).toString())
      const half = Math.floor(out.length / 2)
      for (const part of [out.slice(0, half), out.slice(half)]) socket.write(onChannel(1, part))
      socket.write(onChannel(2, err))
      const causes = [{ reason: 'ExitCode', message: String(code) }]
      socket.write(
        onChannel(3, JSON.stringify(code === 0 ? { status: 'Success' } : { status: 'Failure', details: { causes } })),
      )
      socket.end(frame(8, Buffer.alloc(0)))
    })
    socket.on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const kubeconfig = join(t.testdir(), 'kubeconfig')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'here' },
    clusters: [{ name: 'one', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'me', user: { token: 'x' } }],
    contexts: [{ name: 'here', context: { cluster: 'one', user: 'me' } }],
  }
  writeFileSync(kubeconfig, JSON.stringify(config))
  return { state, executed, pongs, kubeconfig }
}
