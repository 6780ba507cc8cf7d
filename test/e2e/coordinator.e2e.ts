import { request } from 'node:https'
import t from 'tap'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { metadataOnly } from '../emulator/access.ts'
import { deployment, pod, reloading, watching } from './support/apps.ts'
import { coordinated, installCoordinated, namespaceOf } from './support/coordinated-installation.ts'
import { connectEmulator } from './support/emulator.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'
import { forward } from './support/forward.ts'
import { apply, kubectl } from './support/kubectl.ts'
import { logHas, readyPod, readyPods } from './support/pods.ts'

const own = namespaceOf(coordinated)
const coordinatorClient = coordinated.client

/** The status of a request for a session with this token. */
function statusOf(port: number, host: string, ca: string, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(
      {
        ...{ host: '127.0.0.1', port, servername: host, ca, method: 'POST', path: '/v1/session', agent: false },
        headers: { authorization: `Bearer ${token}`, host },
      },
      (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      },
    )
      .on('error', reject)
      .end()
  })
}

void t.test('coordinator: a write reaches the apps in seconds, and pods poll while it is away', async (t) => {
  await (await connectEmulator(t)).grant(coordinatorClient, metadataOnly)
  const { authority, audience, host, scale } = await installCoordinated(t, coordinated)
  const labels = { [injectionLabel]: coordinated.label }
  const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'password-1' }, labels)
  const app = (name: string, replicas: number, interval: string) =>
    deployment(namespace, name, replicas, {
      annotations: {
        ...{ vault, objects: 'db-password', 'poll-interval': interval },
        ...{ signal: 'SIGHUP', 'signal-container': 'app' },
      },
      containers: [{ name: 'app', script: reloading('echo start: $(cat /mnt/secrets/db-password)') }],
    })
  await apply(app('web', 3, '10m'), app('quick', 2, '3s'))
  const [web, quick] = [await readyPods(namespace, 'app=web', 3), await readyPods(namespace, 'app=quick', 2)]
  const names = (pods: typeof web): string[] => pods.map(({ metadata }) => metadata.name)
  for (const name of names([...web, ...quick]))
    await logHas(namespace, name, sidecarContainer, 'the session with the coordinator began')
  const rotate = async (value: string, pods: typeof web): Promise<number> => {
    const began = performance.now()
    await emulator.setSecret(vault, 'db-password', value)
    for (const name of names(pods)) await logHas(namespace, name, 'app', `reloaded: ${value}`)
    return (performance.now() - began) / 1000
  }
  const gets = async (): Promise<number> => (await emulator.counts(vault))['secrets.get'] ?? 0
  const quiet = async (): Promise<void> => {
    let last = { count: await gets(), at: performance.now() }
    await eventually('no pod reads the vault for 10 s', async () => {
      const count = await gets()
      if (count !== last.count) last = { count, at: performance.now() }
      return performance.now() - last.at > 10_000
    })
  }

  await t.test('a write, with a poll interval of 10 min', async (t) => {
    await quiet()
    const seconds = await rotate('password-2', [...web, ...quick])
    t.ok(seconds < 20, `all five pods were notified after ${seconds.toFixed(1)} s`)
    t.comment(`write to handler: ${seconds.toFixed(1)} s`)
  })

  await t.test('a find, with a poll interval of 10 min', async (t) => {
    const tags = { app: 'web' }
    await emulator.setSecret(vault, 'web-a', 'a', { tags })
    const finder = pod(namespace, 'finder', {
      annotations: { vault, objects: '[{ find: { name: web-*, tags: { app: web } } }]', 'poll-interval': '10m' },
      containers: [{ name: 'app', script: watching }],
    })
    await apply(finder)
    await readyPod(namespace, 'finder')
    await logHas(namespace, 'finder', sidecarContainer, 'the session with the coordinator began')
    await quiet()
    for (const [change, files] of [
      [() => emulator.setSecret(vault, 'web-b', 'b', { tags }), './web-a=a ./web-b=b'],
      [() => emulator.setSecret(vault, 'web-a', 'c', { tags }), './web-a=c ./web-b=b'],
      [() => emulator.tagSecret(vault, 'web-b', {}), './web-a=c'],
    ] as const) {
      const began = performance.now()
      await change()
      await logHas(namespace, 'finder', 'app', `files ${files} .\n`)
      const seconds = (performance.now() - began) / 1000
      t.ok(seconds < 20, `${files} after ${seconds.toFixed(1)} s`)
    }
  })

  await t.test('the coordinator is gone, and comes back', async (t) => {
    await quiet()
    await scale(0)
    t.ok((await rotate('password-3', quick)) < 60)
    await scale(1)
    await readyPods(own, 'app.kubernetes.io/name=akv-injector-coordinator', 1, 60)
    await quiet()
    const seconds = await rotate('password-4', [...web, ...quick])
    t.ok(seconds < 20, `${seconds.toFixed(1)} s`)
  })

  await t.test('tokens that are not those of a pod for it', async (t) => {
    const port = await forward(t, own, 'service/akv-injector-coordinator', 8443)
    const tokenFor = (wanted: string): Promise<string> =>
      kubectl(['create', 'token', 'app', '-n', namespace, `--audience=${wanted}`])
    for (const token of [await tokenFor('api://AzureADTokenExchange'), await tokenFor(audience), 'x']) {
      t.equal(await statusOf(port, host, authority, token.trim()), 401)
    }
  })

  const seen = (await emulator.tokens()).filter(({ client }) => client === coordinatorClient)
  t.ok(seen.length > 0, 'it signs in with its own identity')
})
