import { X509Certificate } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { makeAuthority } from '../emulator/tls.ts'
import { pod } from './support/apps.ts'
import { forward } from './support/forward.ts'
import { apply } from './support/kubectl.ts'
import { getPod, logHas, readyPod, statusOf } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'
import { serverName, shownSerial } from './support/shown-certificate.ts'

/** An image with nginx and redis-server, as Debian packages them. */
const image = process.env['E2E_SERVERS_IMAGE']

const nginxConfiguration = `
pid /tmp/nginx.pid;
error_log /dev/stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server {
    listen 8443 ssl;
    ssl_certificate /mnt/secrets/web-tls.crt;
    ssl_certificate_key /mnt/secrets/web-tls.key;
    return 200 "hello";
  }
}`

void t.test('signal servers: nginx serves a rotated certificate after SIGHUP', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, {})
  const authority = makeAuthority()
  const rotate = async (): Promise<string> => {
    const { cert, key } = authority.issue({ names: [serverName] })
    await emulator.importCertificate(vault, 'web-tls', key + cert)
    return new X509Certificate(cert).serialNumber
  }
  const first = await rotate()
  const objects = '[{name: web-tls, split: "true"}]'
  await apply(
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'nginx', namespace },
      data: { 'nginx.conf': nginxConfiguration },
    },
    pod(namespace, 'app', {
      annotations: { vault, objects, 'poll-interval': '2s', signal: 'SIGHUP' },
      containers: [
        {
          name: 'nginx',
          image,
          script: 'exec nginx -g "daemon off;" -c /etc/nginx-test/nginx.conf',
          readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
          volumeMounts: [{ name: 'nginx', mountPath: '/etc/nginx-test' }],
        },
      ],
      spec: { volumes: [{ name: 'nginx', configMap: { name: 'nginx' } }] },
    }),
  )
  await readyPod(namespace, 'app')
  const port = await forward(t, namespace, 'pod/app', 8443)
  t.equal(await shownSerial(port, authority.ca), first)
  const second = await rotate()
  await eventually('the new certificate is served', async () => (await shownSerial(port, authority.ca)) === second)
  t.equal(statusOf(await getPod(namespace, 'app'), 'nginx')?.restartCount, 0, 'reloaded, not restarted')
})

/** Returns redis's answer to a password. */
async function authenticate(port: number, password: string): Promise<string> {
  const socket = connectTcp({ host: '127.0.0.1', port })
  socket.write(`AUTH ${password}\r\nQUIT\r\n`)
  return text(socket)
}

void t.test('signal servers: redis accepts a rotated password after SIGTERM restarted it', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, { 'redis-password': 'one' })
  await apply(
    pod(namespace, 'app', {
      annotations: {
        vault,
        objects: 'redis-password',
        'template-redis.conf': 'port 6379\nsave ""\ndir /tmp\nrequirepass {{ secrets["redis-password"] }}\n',
        'poll-interval': '2s',
        signal: 'SIGTERM',
      },
      containers: [
        {
          name: 'redis',
          image,
          script: 'exec redis-server /mnt/secrets/redis.conf',
          readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1 },
        },
      ],
    }),
  )
  await readyPod(namespace, 'app')
  const port = await forward(t, namespace, 'pod/app', 6379)
  t.match(await authenticate(port, 'one'), '+OK')
  await emulator.setSecret(vault, 'redis-password', 'two')
  await eventually('redis was restarted', async () => {
    const status = statusOf(await getPod(namespace, 'app'), 'redis')
    return (status?.restartCount ?? 0) === 1 && status?.ready
  })
  const again = await forward(t, namespace, 'pod/app', 6379)
  t.match(await authenticate(again, 'two'), '+OK')
  t.match(await authenticate(again, 'one'), 'WRONGPASS')
})

/** Creates a pod `app` with a Node program and the secret `db-password`; returns how to wait for its output. */
async function makeNodePod(t: Test, script: string, annotations: Record<string, string>) {
  const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'one' })
  const command = [
    '/nodejs/bin/node',
    '-e',
    `const read = () => require('fs').readFileSync('/mnt/secrets/db-password', 'utf8')\n${script}`,
  ]
  await apply(
    pod(namespace, 'app', {
      annotations: { vault, objects: 'db-password', 'poll-interval': '2s', ...annotations },
      containers: [{ name: 'app', script: '', image: process.env['E2E_IMAGE'], command }],
    }),
  )
  await readyPod(namespace, 'app')
  await logHas(namespace, 'app', 'app', 'start: one')
  return {
    namespace,
    rotate: () => emulator.setSecret(vault, 'db-password', 'two'),
    says: (text: string) => logHas(namespace, 'app', 'app', text),
  }
}

void t.test('signal servers: a Node app reloads on SIGHUP', async (t) => {
  const script = `
    process.on('SIGHUP', () => console.log('reloaded: ' + read()))
    setInterval(() => {}, 1000)
    console.log('start: ' + read())`
  const { rotate, says } = await makeNodePod(t, script, { signal: 'SIGHUP' })
  await rotate()
  await says('reloaded: two')
  t.pass('its handler ran')
})

void t.test('signal servers: without a shared process namespace an app is notified by a POST', async (t) => {
  const script = `
    require('http').createServer((request, response) => {
      let body = ''
      request.on('data', (part) => (body += part))
      request.on('end', () => {
        console.log(request.method + ' ' + request.url + ' ' + body)
        console.log('reloaded: ' + read())
        response.writeHead(204).end()
      })
    }).listen(8081, '127.0.0.1', () => console.log('start: ' + read()))`
  const { namespace, rotate, says } = await makeNodePod(t, script, { 'notify-url': 'http://localhost:8081/-/reload' })
  await rotate()
  const [, body = ''] = /^POST \/-\/reload (.*)$/m.exec(await says('reloaded: two')) ?? []
  t.match(JSON.parse(body), {
    changed: [{ type: 'secret', name: 'db-password', version: /^[0-9a-f]{32}$/, paths: ['db-password'] }],
  })
  t.notMatch(body, /one|two/, 'no value')
  await logHas(namespace, 'app', sidecarContainer, 'answered 204')
  t.notOk((await getPod(namespace, 'app')).spec.shareProcessNamespace)
})
