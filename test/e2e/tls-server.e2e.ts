import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { makeAuthority } from '../emulator/tls.ts'
import { nodeContainer, pod } from './support/apps.ts'
import { forward } from './support/forward.ts'
import { apply, logs } from './support/kubectl.ts'
import { logHas, readyPod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'

interface Served {
  body: string
  /** The certificate's serial number; unknown on a connection that was used before. */
  serial: string | undefined
  /** Whether the connection was used before. */
  reused: boolean
  port: number | undefined
}

const name = 'web.example'

/** Requests a page and verifies the server's certificate. */
function ask(agent: Agent, port: number, ca: string): Promise<Served> {
  return new Promise((resolve, reject) => {
    const asked = request({ agent, host: '127.0.0.1', port, servername: name, ca, timeout: 10_000 }, (response) => {
      const socket = response.socket as TLSSocket
      const serial = asked.reusedSocket ? undefined : socket.getPeerX509Certificate()?.serialNumber
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ body, serial, reused: asked.reusedSocket, port: socket.localPort }))
      response.on('error', reject)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')))
    asked.on('error', reject).end()
  })
}

void t.test('TLS server: it loads a rotated certificate on its signal and drops no connection', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, {})
  const authority = makeAuthority()
  const [first, second] = [authority.issue({ names: [name] }), authority.issue({ names: [name] })]
  const serialOf = ({ cert }: { cert: string }): string => new X509Certificate(cert).serialNumber
  await emulator.importCertificate(vault, 'web-tls', first.key + first.cert)
  const script = readFileSync(new URL('support/tls-server.mjs', import.meta.url), 'utf8')
  await apply(
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'server', namespace }, data: { 'server.mjs': script } },
    pod(namespace, 'web', {
      annotations: {
        vault,
        objects: '- {name: web-tls, split: true, path: tls/web}',
        'poll-interval': '2s',
        signal: 'SIGHUP',
      },
      containers: [],
      spec: {
        containers: [
          nodeContainer('web', ['/server/server.mjs'], 8443, {
            volumeMounts: [{ name: 'server', mountPath: '/server' }],
          }),
        ],
        volumes: [{ name: 'server', configMap: { name: 'server' } }],
      },
    }),
  )
  await readyPod(namespace, 'web')
  const port = await forward(t, namespace, 'pod/web', 8443)
  const kept = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => kept.destroy())
  const fresh = () => ask(new Agent({ keepAlive: false, maxCachedSessions: 0 }), port, authority.ca)
  const before = await ask(kept, port, authority.ca)
  t.match(before, { body: 'served', serial: serialOf(first), reused: false })

  await emulator.importCertificate(vault, 'web-tls', second.key + second.cert)
  let asked = 0
  await eventually('new connections get the new certificate', async () => {
    // Every failure in between would be a dropped connection, so eventually() must not swallow it.
    const [onKept, onFresh] = await Promise.all([ask(kept, port, authority.ca), fresh()]).catch((error: unknown) => {
      t.fail('a connection was dropped', { error })
      throw error
    })
    asked++
    t.match(onKept, { body: 'served', reused: true, port: before.port })
    return onFresh.serial === serialOf(second)
  })
  t.ok(asked > 1, `while it was asked again and again (${asked} times)`)
  await logHas(namespace, 'web', 'web', 'reloaded')
  const after = await ask(kept, port, authority.ca)
  t.match(after, { body: 'served', reused: true, port: before.port }, 'the first connection lives on')
  t.equal((await logs(namespace, 'web', 'web')).split('reloaded').length - 1, 1, 'one signal')
})
