import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createLocalServer, loopback } from '../../../coordinator/rotation/local-server.ts'
import { closed } from '../../support/closed.ts'

async function listening(t: Test) {
  const asked: string[] = []
  const server = createLocalServer((vault, name) => {
    asked.push(`${vault} ${name}`)
    return { vault, name, objects: [], unknown: [] }
  }).listen(0, loopback)
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const status = (path: string, { method = 'GET', host = `${loopback}:${port}` } = {}): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: loopback, port, path, method, agent: false, headers: { host } }, (response) => {
        response.resume()
        response.on('end', () => resolve(response.statusCode ?? 0))
      })
      sent.on('error', reject).end()
    })
  return { asked, status, port }
}

void t.test('local server: answers one question, to processes of its own pod', async (t) => {
  const { asked, status } = await listening(t)
  const path = '/v1/rotation?vault=my-kv&name=db'
  t.equal(await status(path), 200)
  t.strictSame(asked, ['my-kv db'])
  for (const other of ['/', '//', '/v1/rotation', '/v1/rotation?vault=my-kv', `${path}${'x'.repeat(3_000)}`])
    t.equal(await status(other), 404, other.slice(0, 50))
  t.equal(await status(path, { method: 'POST' }), 404)
  t.equal(await status(path, { host: 'rebound.example' }), 404, 'a page in a browser cannot ask')
  t.equal(asked.length, 1)
})

void t.test('local server: survives what is no request', async (t) => {
  const { status, port } = await listening(t)
  for (const bytes of [
    'GET http:// HTTP/1.1\r\nhost: 127.0.0.1:1\r\n\r\n',
    'hello\r\n\r\n',
    'GET // HTTP/1.1\r\n\r\n',
  ]) {
    const socket = connect(port, loopback)
    socket.end(bytes)
    socket.resume()
    await closed(socket)
  }
  t.equal(await status('/v1/rotation?vault=a&name=b'), 200)
})
