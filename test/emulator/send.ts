import type { ServerResponse } from 'node:http'
import type { Answer } from './errors.ts'

/** Sends an answer, or does to the connection what it says. The `Date` header follows the emulator's clock. */
export function send(response: ServerResponse, { status, headers, body, wire }: Answer, now: number): void {
  if (wire === 'hang') return
  if (wire === 'reset') {
    // Without TLS's goodbye; the client reports ECONNRESET.
    response.socket?.destroy()
    return
  }
  const content = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, {
    Date: new Date(now).toUTCString(),
    ...(content && { 'Content-Type': 'application/json; charset=utf-8' }),
    'Content-Length': Buffer.byteLength(content),
    'x-ms-keyvault-service-version': 'emulator',
    ...headers,
  })
  if (!wire) {
    response.end(content)
    return
  }
  response.write(Buffer.from(content).subarray(0, content.length >> 1), () => {
    if (wire === 'cut') response.socket?.destroy()
  })
}
