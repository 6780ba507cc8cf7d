import { X509Certificate } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { makeAuthority } from '../emulator/tls.ts'
import { deployment } from './support/apps.ts'
import { eventually } from './support/eventually.ts'
import { forward } from './support/forward.ts'
import { apply, kubectl } from './support/kubectl.ts'
import { readyPods } from './support/pods.ts'
import { serverName, shownSerial } from './support/shown-certificate.ts'
import * as sync from './support/sync.ts'

/** An image with nginx, as Debian packages it. */
const image = process.env['E2E_SERVERS_IMAGE']

const configuration = `
daemon off;
pid /tmp/nginx.pid;
error_log /dev/stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server {
    listen 8443 ssl;
    ssl_certificate /tls/tls.crt;
    ssl_certificate_key /tls/tls.key;
    return 200 "hello";
  }
}`

/** Runs nginx and reloads it when the kubelet has switched the files of the Secret, as an ingress controller does. */
const script = `nginx -c /etc/nginx-test/nginx.conf & server=$!
old=$(readlink /tls/..data)
while kill -0 $server; do
  new=$(readlink /tls/..data)
  [ "$new" = "$old" ] || { nginx -c /etc/nginx-test/nginx.conf -s reload && old=$new; }
  sleep 1
done`

void t.test(
  'sync: nginx serves TLS from a synced Secret through a rotation, and scaling leaves the Secret alone',
  async (t) => {
    const fixture = await sync.makeSyncFixture(t, {})
    const { namespace, emulator, vault } = fixture
    const authority = makeAuthority()
    const rotate = async (): Promise<string> => {
      const { cert, key } = authority.issue({ names: [serverName] })
      await emulator.importCertificate(vault, 'web-tls', key + cert)
      return new X509Certificate(cert).serialNumber
    }
    const first = await rotate()
    const one = await sync.applyClass(t, fixture, {
      objects: [sync.secretLines('web-tls')],
      secretObjects: [{ ...sync.tls('web', 'web-tls'), labels: { team: 'shop' } }],
    })
    await sync.applyRole(one)
    const secret = await eventually('the Secret is written', () => sync.readSecret(namespace, 'web'))
    t.match(secret, {
      type: 'kubernetes.io/tls',
      metadata: {
        labels: { team: 'shop', 'azure.keyvault.injector/synced': 'true' },
        annotations: {
          'azure.keyvault.injector/sync-class': 'web',
          'azure.keyvault.injector/sync-versions': /^secret\/web-tls@/,
        },
        ownerReferences: [{ kind: 'SecretProviderClass' }],
      },
    })
    t.match(await sync.eventOn(namespace, 'Synced', /web/), /^Secret web has secret\/web-tls@/)
    const subjects = (await emulator.tokens()).map(({ sub }) => sub)
    t.ok(subjects.includes(`system:serviceaccount:${namespace}:web-sync`), 'the program signs in as the ServiceAccount')
    t.notOk(subjects.includes(sync.programUser), 'and never as itself')

    const web = (replicas: number) => {
      const spec = {
        volumes: [
          { name: 'nginx', configMap: { name: 'nginx' } },
          { name: 'tls', secret: { secretName: 'web' } },
        ],
      }
      const volumeMounts = [
        { name: 'nginx', mountPath: '/etc/nginx-test' },
        { name: 'tls', mountPath: '/tls' },
      ]
      const readinessProbe = { tcpSocket: { port: 8443 }, periodSeconds: 1 }
      const labels = { 'azure.workload.identity/use': 'false' }
      return deployment(namespace, 'web', replicas, {
        containers: [{ name: 'nginx', image, script, readinessProbe, volumeMounts }],
        labels,
        spec,
      })
    }
    await apply(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'nginx', namespace },
        data: { 'nginx.conf': configuration },
      },
      web(1),
    )
    await readyPods(namespace, 'app=web', 1)
    const port = await forward(t, namespace, 'deployment/web', 8443)
    t.equal(await shownSerial(port, authority.ca), first)

    const seen: string[] = []
    const failures: unknown[] = []
    let going = true
    const shaking = (async () => {
      while (going) {
        await shownSerial(port, authority.ca).then(
          (serial) => seen.push(serial),
          (error: unknown) => failures.push(error),
        )
        await sleep(50)
      }
    })()
    const second = await rotate()
    await eventually('the new certificate is served', async () => seen.at(-1) === second, { seconds: 150 })
    going = false
    await shaking
    t.strictSame(failures.map(String), [], `every one of ${seen.length} handshakes fits`)
    t.strictSame([...new Set(seen)], [first, second])

    const before = await sync.readSecret(namespace, 'web')
    await kubectl(['scale', '-n', namespace, 'deployment/web', '--replicas=0'])
    await readyPods(namespace, 'app=web', 0)
    await kubectl(['scale', '-n', namespace, 'deployment/web', '--replicas=1'])
    await readyPods(namespace, 'app=web', 1)
    const after = await sync.readSecret(namespace, 'web')
    t.strictSame(
      [after?.metadata.uid, after?.metadata.resourceVersion],
      [before?.metadata.uid, before?.metadata.resourceVersion],
    )
  },
)

void t.test('sync: a foreign Secret is not touched, also if it appears between the read and the write', async (t) => {
  const fixture = await sync.makeSyncFixture(t, { password: 'ours' })
  const { namespace } = fixture
  const foreign = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'db', namespace },
    stringData: { password: 'theirs', more: 'x' },
  }
  await apply(foreign)
  const before = await sync.readSecret(namespace, 'db')
  const secretObjects = [sync.opaque('db', { password: 'password' }), sync.opaque('free', { password: 'password' })]
  const one = await sync.applyClass(t, fixture, { objects: [sync.secretLines('password')], secretObjects })
  await sync.applyRole(one)
  t.match(await sync.eventOn(namespace, 'Conflict', /db/), /belongs to somebody else/)
  await sync.secretHas(namespace, 'free', { password: 'ours' })
  t.strictSame(await sync.readSecret(namespace, 'db'), before)

  const changed = '{"stringData":{"password":"changed"}}'
  await kubectl(['patch', 'secret', '-n', namespace, 'free', '--type=merge', '-p', changed])
  t.match(await sync.eventOn(namespace, 'Conflict', /free/), /somebody else manages one of its fields/)
  await sync.secretHas(namespace, 'free', { password: 'changed' })
  await kubectl(['delete', 'secret', '-n', namespace, 'free'])
  await sync.secretHas(namespace, 'free', { password: 'ours' })

  // What the program sends if it has found nothing: the version of an object that does not exist.
  const { metadata } = (await sync.readSecret(namespace, 'free'))!
  const applied = (resourceVersion: string, key = 'other') => ({
    ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque', data: { [key]: 'eA==' } },
    metadata: {
      name: 'db',
      namespace,
      resourceVersion,
      labels: metadata.labels,
      annotations: metadata.annotations,
      ownerReferences: metadata.ownerReferences,
    },
  })
  const send = (body: object) => sync.serverSideApply(body)
  t.match(await send(applied('1')), { code: 1, stderr: /the object has been modified/ })
  t.match(
    await send(applied(before?.metadata.resourceVersion ?? '')),
    { code: 1, stderr: /akv-injector-sync-secrets.*belongs to somebody else/ },
    'and the policy refuses it too',
  )
  t.match(await send(applied('')), { code: 1 }, 'whatever is sent')
  t.match(
    await send(applied('1', 'password')),
    { code: 1, stderr: /conflict with/ },
    'or another manager has the field',
  )
  t.strictSame(await sync.readSecret(namespace, 'db'), before)
})
