import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { realClock } from '../../shared/clock.ts'
import type { CoordinatorEvent } from '../../shared/coordination/events.ts'
import { openConnection, type ConnectionEnd } from '../../shared/coordination/connection.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import { until } from '../support/until.ts'

/** Lets the sidecar's client hold a session with a server that answers as the test says; returns how it ended. */
async function attacked(
  t: Test,
  answer: (response: ServerResponse) => void,
  silenceMs = 5_000,
): Promise<{ end: ConnectionEnd; events: CoordinatorEvent[] }> {
  const { cert, key } = certificateFolder(t)
  const server = createServer({ cert, key }, (request, response) => {
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    answer(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const events: CoordinatorEvent[] = []
  let end: ConnectionEnd | undefined
  openConnection({
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    caCertificates: cert,
    token: 'token-canary',
    silenceMs,
    onOpen: () => undefined,
    onEvent: (event) => events.push(event),
    onEnd: (one) => (end = one),
    clock: realClock,
  })
  return { end: await until('the session ends', () => end), events }
}

/** Writes as much as the client takes, at most 256 MiB. */
function writeEndlessly(response: ServerResponse, chunk: Buffer): void {
  let rest = 256 * 1024 * 1024
  const write = (): void => {
    while (rest > 0 && !response.destroyed) {
      rest -= chunk.length
      if (!response.write(chunk)) return void response.once('drain', write)
    }
  }
  write()
}

const open = (response: ServerResponse): void => void response.writeHead(200).flushHeaders()

const attacks: [name: string, answer: (response: ServerResponse) => void, reason: RegExp][] = [
  ['garbage', (response) => response.end(Buffer.alloc(5_000, 0xff)), /closed/],
  ['a line without end', (response) => writeEndlessly(response, Buffer.alloc(65_536, 'x')), /more than/],
  ['an event without end', (response) => writeEndlessly(response, Buffer.from('data: x\n'.repeat(8_192))), /more than/],
  [
    'events without end',
    (response) => writeEndlessly(response, Buffer.from('event: heartbeat\ndata: {}\n\n'.repeat(2_000))),
    /cannot be read|too many/,
  ],
  [
    'unknown events without end',
    (response) => writeEndlessly(response, Buffer.from('event: x\ndata: {}\n\n'.repeat(2_000))),
    /too many events/,
  ],
  ['an event that is no JSON', (response) => response.end('event: change\ndata: {\n\n'), /cannot be read/],
  ['a refusal with a long wait', (response) => response.writeHead(503, { 'retry-after': '99999999' }).end(), /503/],
  ['a reset', (response) => response.socket?.destroy(), /hang up|reset|closed/],
]
for (const [name, answer, reason] of attacks) {
  void t.test(`coordinator: ${name} ends the session and nothing else`, async (t) => {
    const before = process.memoryUsage().rss
    const { end } = await attacked(t, answer)
    t.match(end.reason, reason)
    t.ok((end.retryAfterMs ?? 0) <= 3_600_000)
    t.notMatch(end.reason, /canary/)
    t.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024, 'in bounded memory')
  })
}

void t.test('coordinator: one that says nothing is given up', async (t) => {
  const { end } = await attacked(t, open, 300)
  t.match(end.reason, /nothing came for 0.3 s/)
})
