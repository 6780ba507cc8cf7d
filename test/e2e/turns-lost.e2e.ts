import t from 'tap'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { metadataOnly } from '../emulator/access.ts'
import { installCoordinated, losing, namespaceOf } from './support/coordinated-installation.ts'
import { drainingWeb, startClient, supervised, watchEndpoints } from './support/draining-web.ts'
import { connectEmulator } from './support/emulator.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'
import { apply, kubectl, list, tryKubectl } from './support/kubectl.ts'
import { getPod, logHas, readyPods, statusOf, type Pod } from './support/pods.ts'

const name = 'db-password'

/** Kills the sidecar from the app's container, which has the same user and sees its process. */
const killSidecar = `
const fs = require('fs')
for (const pid of fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
  const command = fs.readFileSync('/proc/' + pid + '/cmdline', 'utf8')
  if (command.includes('/app/sidecar.js') && Number(pid) !== process.pid) process.kill(Number(pid), 'SIGKILL')
}`

void t.test('turns: what holds one may disappear, and the others follow', async (t) => {
  await (await connectEmulator(t)).grant(losing.client, metadataOnly)
  await installCoordinated(t, losing)
  const labels = { [injectionLabel]: losing.label }
  const { namespace, emulator, vault } = await makeFixture(t, { [name]: 'one' }, labels)
  const annotations = {
    ...{ vault, objects: name, 'poll-interval': '3s', signal: 'SIGTERM', 'signal-container': 'app' },
    ...{ 'signal-process': supervised, 'max-unavailable': '1', 'min-ready': '1s', 'turn-timeout': '1m' },
  }
  await apply(...drainingWeb(namespace, { replicas: 3, annotations, periodSeconds: 2, isSupervised: true }))
  for (const { metadata } of await readyPods(namespace, 'app=web', 3, 180))
    await logHas(namespace, metadata.name, sidecarContainer, 'the session with the coordinator began')
  const { answered } = await startClient(namespace, 1)
  const endpoints = await watchEndpoints(t, namespace, 3)

  /** Sets a value, and returns the pod that has its turn first. */
  const holderOf = async (value: string): Promise<string> => {
    endpoints.reset()
    await emulator.setSecret(vault, name, value)
    return eventually('a pod has its turn', async () => {
      for (const { metadata } of await list<Pod>(namespace, 'pods', 'app=web')) {
        const log = await kubectl(['logs', '-n', namespace, metadata.name, '-c', sidecarContainer, '--since=30s'])
        if (
          log
            .trimEnd()
            .split('\n')
            .some((line) => line.includes('"state":"switched"'))
        )
          return metadata.name
      }
      return undefined
    })
  }
  /** Waits until all pods that there are serve a value. */
  const allServe = async (value: string, replicas: number): Promise<void> => {
    const pods = await readyPods(namespace, 'app=web', replicas, 180)
    await answered(...pods.map(({ metadata }) => `${metadata.name} ${value}`))
  }

  await t.test('its sidecar is killed', async (t) => {
    const holder = await holderOf('slow-1')
    await kubectl(['exec', '-n', namespace, holder, '-c', 'app', '--', '/nodejs/bin/node', '-e', killSidecar])
    await allServe('slow-1', 3)
    t.equal(statusOf(await getPod(namespace, holder), sidecarContainer)?.restartCount, 1)
    t.equal(endpoints.fewest(), 2, 'never two were out')
  })

  await t.test('its pod is deleted', async (t) => {
    // What the logs say of the last turns is to be older than what is looked for.
    await eventually('no log line about a turn is recent', async () => {
      const pods = await list<Pod>(namespace, 'pods', 'app=web')
      const recent = pods.map(({ metadata }) =>
        kubectl(['logs', '-n', namespace, metadata.name, '-c', sidecarContainer, '--since=31s']),
      )
      return (await Promise.all(recent)).every((log) => !log.includes('"state":"switched"'))
    })
    const holder = await holderOf('slow-2')
    await kubectl(['delete', 'pod', '-n', namespace, holder])
    await eventually('it is gone', async () => (await tryKubectl(['get', 'pod', '-n', namespace, holder])).code !== 0)
    await allServe('slow-2', 3)
    t.ok(endpoints.fewest() >= 1, 'beside the pod that was deleted, one may be out')
  })

  await t.test('a rollout and a scale-up during a rotation', async () => {
    endpoints.reset()
    await emulator.setSecret(vault, name, 'slow-3')
    await eventually('a pod is out', async () => endpoints.fewest() < 3)
    await kubectl(['rollout', 'restart', '-n', namespace, 'deployment/web'])
    await kubectl(['scale', '-n', namespace, 'deployment/web', '--replicas=4'])
    await kubectl(['rollout', 'status', '-n', namespace, 'deployment/web', '--timeout=240s'])
    await eventually('only the new pods are left', async () => (await list(namespace, 'pods', 'app=web')).length === 4)
    await allServe('slow-3', 4)
    const ask = ['/nodejs/bin/node', '/app/rotation.js', vault, name]
    const command = ['exec', '-n', namespaceOf(losing), 'deploy/akv-injector-coordinator', '--', ...ask]
    await eventually('the rotation is complete', async () => (await tryKubectl(command)).code === 0)
  })
})
