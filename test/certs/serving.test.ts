import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { createAuthority, issueLeaf, serviceNames } from '../../certs/authority.ts'
import { createServing, type Pair } from '../../certs/serving.ts'
import type { Leaf } from '../../certs/x509.ts'
import { until } from '../support/until.ts'

const names = serviceNames({ names: ['hook'], namespace: 'system' })
const now = Date.now()
const [one, other] = await Promise.all([1, 2].map(() => createAuthority({ now, lifetimeMs: 60 * 60_000 })))
const issue = (authority: typeof one) => issueLeaf({ ...authority!, names, now, lifetimeMs: 60_000 * 10 })
const [first, second, foreign] = await Promise.all([issue(one), issue(one), issue(other)])
const pair = ({ pem, key }: Leaf): Pair => ({ certificate: pem, key })

async function listening(t: Test, server: https.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** The id of the certificate that a client which trusts `ca` only is given, and the protocol it agreed on. */
async function handshake(
  port: number,
  ca: string,
  options: { maxVersion?: 'TLSv1.1' | 'TLSv1.2'; ciphers?: string } = {},
) {
  const socket: TLSSocket = connect({ host: '127.0.0.1', port, servername: names[0], ca, ...options })
  try {
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerCertificate()
    return { id: fingerprint256.replaceAll(':', '').toLowerCase(), protocol: socket.getProtocol() }
  } finally {
    socket.destroy()
  }
}

void t.test('serving: no handshake succeeds before the first certificate, and all do after it', async (t) => {
  const serving = createServing()
  const server = https.createServer(serving.options(), (_request, response) => response.end('ok'))
  const port = await listening(t, server)
  serving.attach(server)
  await t.rejects(handshake(port, one!.authority.pem))
  serving.swap(pair(first))
  t.equal((await handshake(port, one!.authority.pem)).id, first.id)
})

void t.test('serving: a server that is attached after a swap gets the new certificate', async (t) => {
  const serving = createServing()
  serving.swap(pair(first))
  const server = https.createServer(serving.options())
  const port = await listening(t, server)
  serving.swap(pair(second))
  t.equal((await handshake(port, one!.authority.pem)).id, first.id)
  const detach = serving.attach(server)
  t.equal((await handshake(port, one!.authority.pem)).id, second.id)
  detach()
  serving.swap(pair(first))
  t.equal((await handshake(port, one!.authority.pem)).id, second.id)
})

void t.test('serving: a swap does not lower the minimum TLS version and cipher strength', async (t) => {
  const old = { maxVersion: 'TLSv1.2', ciphers: 'DEFAULT:@SECLEVEL=0' } as const
  const older = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const
  const cases = [
    { name: 'TLS 1.2 unless asked for more', tls: {}, accepted: old, refused: older },
    { name: 'TLS 1.3 where asked for', tls: { minVersion: 'TLSv1.3' } as const, accepted: {}, refused: old },
  ]
  for (const { name, tls, accepted, refused } of cases) {
    const serving = createServing({ ...tls, ciphers: 'DEFAULT:@SECLEVEL=0' })
    serving.swap(pair(first))
    const server = https.createServer(serving.options())
    const port = await listening(t, server)
    serving.attach(server)
    for (const leaf of [first, second, first]) {
      serving.swap(pair(leaf))
      t.equal((await handshake(port, one!.authority.pem, accepted)).id, leaf.id, name)
      await t.rejects(
        handshake(port, one!.authority.pem, refused),
        { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' },
        name,
      )
    }
  }
})

void t.test('serving: a certificate without its key is rejected, and the previous pair stays', async (t) => {
  const serving = createServing()
  serving.swap(pair(first))
  const server = https.createServer(serving.options())
  const port = await listening(t, server)
  serving.attach(server)
  const cases: [string, Pair][] = [
    ['the key of another certificate', { certificate: second.pem, key: foreign.key }],
    ['no key', { certificate: second.pem, key: '' }],
    ['no certificate', { certificate: '', key: second.key }],
    ['nonsense', { certificate: 'nonsense', key: second.key }],
  ]
  for (const [name, bad] of cases) {
    t.throws(() => serving.swap(bad), name)
    t.equal((await handshake(port, one!.authority.pem)).id, first.id, name)
  }
})

void t.test('serving: swaps under continuous connections drop nothing', async (t) => {
  const serving = createServing()
  serving.swap(pair(first))
  let release: (() => void) | undefined
  const server = https.createServer(serving.options(), (request, response) => {
    if (request.url === '/slow') release = () => response.end('slow')
    else response.end('ok')
  })
  const port = await listening(t, server)
  serving.attach(server)
  const ca = one!.authority.pem + other!.authority.pem
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const get = (path: string, agent: https.Agent | false) => request({ port, path, ca, servername: names[0], agent })

  const slow = get('/slow', new https.Agent())
  const served = new Set<string>()
  let going = true
  const clients = Array.from({ length: 4 }, async (_, number) => {
    let requests = 0
    for (; going; requests++) {
      const { body, certificate } = await get('/', number === 0 ? agent : false)
      if (body !== 'ok') throw new Error(body)
      served.add(certificate)
    }
    return requests
  })
  for (let swaps = 0; swaps < 60; swaps++) {
    const next = [second, foreign, first][swaps % 3]!
    serving.swap(pair(next))
    if (swaps % 20 < 3) await until('the new certificate is served', () => served.has(next.id), { intervalMs: 1 })
    else await get('/', false)
  }
  going = false
  const counts = await Promise.all(clients)
  t.ok(
    counts.every((count) => count > 20),
    `requests: ${counts.join()}`,
  )
  t.equal(served.size, 3)
  release!()
  t.equal((await slow).body, 'slow')
})

function request(options: https.RequestOptions): Promise<{ body: string; certificate: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = https.get({ host: '127.0.0.1', ...options }, (response) => {
      const certificate = (response.socket as TLSSocket).getPeerCertificate().fingerprint256
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve({ body, certificate: certificate.replaceAll(':', '').toLowerCase() }))
    })
    outgoing.on('error', reject)
  })
}
