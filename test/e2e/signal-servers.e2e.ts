import { X509Certificate } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import t from 'tap'
import { makeAuthority } from '../emulator/tls.ts'
import { makeServiceAccount, pod } from './support/apps.ts'
import { connectEmulator, makeVault } from './support/emulator.ts'
import { forward } from './support/forward.ts'
import { apply, kubectl, makeNamespace } from './support/kubectl.ts'
import { getPod, readyPod, statusOf } from './support/pods.ts'
import { eventually } from './support/process.ts'

/** Has nginx and redis-server, as Debian packages them. */
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

/** The serial number of the certificate that a server shows. */
const shownSerial = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(
      { host: '127.0.0.1', port, rejectUnauthorized: false, servername: 'web.example.com' },
      () => {
        const { serialNumber } = socket.getPeerCertificate()
        socket.destroy()
        resolve(serialNumber)
      },
    ).on('error', reject)
  })

void t.test('nginx serves a rotated certificate after its SIGHUP', async (t) => {
  const namespace = await makeNamespace(t)
  const emulator = await connectEmulator(t)
  const vault = await makeVault(t)
  const authority = makeAuthority()
  const rotate = async (): Promise<string> => {
    const { cert, key } = authority.issue({ names: ['web.example.com'] })
    await emulator.importCertificate(vault, 'web-tls', key + cert)
    return new X509Certificate(cert).serialNumber
  }
  const first = await rotate()
  await makeServiceAccount(namespace)
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
  t.equal(await shownSerial(port), first)
  const second = await rotate()
  await eventually('the new certificate is served', async () => (await shownSerial(port)) === second)
  t.equal(statusOf(await getPod(namespace, 'app'), 'nginx')?.restartCount, 0, 'reloaded, not restarted')
})

/** What redis answers to a password. */
async function authenticate(port: number, password: string): Promise<string> {
  const socket = connectTcp({ host: '127.0.0.1', port })
  socket.write(`AUTH ${password}\r\nQUIT\r\n`)
  return text(socket)
}

void t.test('redis takes a rotated password when SIGTERM has had it restarted', async (t) => {
  const namespace = await makeNamespace(t)
  const emulator = await connectEmulator(t)
  const vault = await makeVault(t)
  await emulator.setSecret(vault, 'redis-password', 'one')
  await makeServiceAccount(namespace)
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

void t.test('a Node app reloads on SIGHUP', async (t) => {
  const namespace = await makeNamespace(t)
  const emulator = await connectEmulator(t)
  const vault = await makeVault(t)
  await emulator.setSecret(vault, 'db-password', 'one')
  await makeServiceAccount(namespace)
  const script = `
    const read = () => require('fs').readFileSync('/mnt/secrets/db-password', 'utf8')
    process.on('SIGHUP', () => console.log('reloaded: ' + read()))
    setInterval(() => {}, 1000)
    console.log('start: ' + read())`
  await apply(
    pod(namespace, 'app', {
      annotations: { vault, objects: 'db-password', 'poll-interval': '2s', signal: 'SIGHUP' },
      containers: [
        { name: 'app', script: '', image: process.env['E2E_IMAGE'], command: ['/nodejs/bin/node', '-e', script] },
      ],
    }),
  )
  await readyPod(namespace, 'app')
  const says = (text: string): Promise<unknown> =>
    eventually(text, async () => (await kubectl(['logs', '-n', namespace, 'app', '-c', 'app'])).includes(text))
  await says('start: one')
  await emulator.setSecret(vault, 'db-password', 'two')
  await says('reloaded: two')
  t.pass('its handler ran')
})
