import t from 'tap'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { metadataOnly } from '../emulator/access.ts'
import { installCoordinated, namespaceOf, turning } from './support/coordinated-installation.ts'
import { drainingWeb, startClient, supervised, watchEndpoints } from './support/draining-web.ts'
import { connectEmulator } from './support/emulator.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'
import { apply, kubectl, list, tryKubectl, type KubernetesObject } from './support/kubectl.ts'
import { isReady, logHas, readyPods, type Pod } from './support/pods.ts'

const replicas = 5
const name = 'db-password'

interface WrittenEvent extends KubernetesObject {
  reason: string
  message: string
  involvedObject: { kind: string; name: string }
}

void t.test('turns: replicas switch one after the other, and stop at the first that fails', async (t) => {
  await (await connectEmulator(t)).grant(turning.client, metadataOnly)
  await installCoordinated(t, turning)
  const labels = { [injectionLabel]: turning.label }
  const { namespace, emulator, vault } = await makeFixture(t, { [name]: 'one', other: 'other-1' }, labels)
  const annotations = {
    ...{ vault, objects: `${name},other`, 'poll-interval': '3s', signal: 'SIGTERM', 'signal-container': 'app' },
    ...{ 'signal-process': supervised, 'max-unavailable': '1', 'min-ready': '1s', 'turn-timeout': '2m' },
  }
  await apply(...drainingWeb(namespace, { replicas, annotations, periodSeconds: 2, isSupervised: true }))
  const names = (await readyPods(namespace, 'app=web', replicas, 180)).map(({ metadata }) => metadata.name)
  for (const pod of names) await logHas(namespace, pod, sidecarContainer, 'the session with the coordinator began')
  const { count, answered } = await startClient(namespace, 1)
  const endpoints = await watchEndpoints(t, namespace, replicas)
  const all = (value: string): Promise<void> => answered(...names.map((pod) => `${pod} ${value}`))
  const pods = (): Promise<Pod[]> => list<Pod>(namespace, 'pods', 'app=web')
  const rotation = () =>
    tryKubectl([
      ...['exec', '-n', namespaceOf(turning), 'deploy/akv-injector-coordinator', '--'],
      ...['/nodejs/bin/node', '/app/rotation.js', vault, name],
    ])
  await all('one')

  await t.test('three rotations: never two are out, and no request is lost', async (t) => {
    endpoints.reset()
    for (const value of ['two', 'three', 'four']) {
      await emulator.setSecret(vault, name, value)
      await all(value)
      await readyPods(namespace, 'app=web', replicas, 120)
    }
    t.equal(endpoints.fewest(), replicas - 1, 'the fewest endpoints')
    const { asked, failed, errors } = await count()
    t.equal(failed, 0, JSON.stringify(errors))
    t.comment(`${asked} requests, repeated: ${JSON.stringify(errors)}`)
    await eventually('the rotation is complete', async () => (await rotation()).code === 0)
  })

  await t.test('a secret with which the app does not start takes down one pod', async (t) => {
    await emulator.setSecret(vault, name, 'bad-kfzq')
    const event = await eventually('an Event says so', async () =>
      (await list<WrittenEvent>(namespace, 'events')).find(
        ({ reason, involvedObject }) => reason === 'TurnFailed' && involvedObject.kind === 'ReplicaSet',
      ),
    )
    t.match(
      event.message,
      /does not come up with a new version of secret db-password: three processes of container app/,
    )
    t.match(event.message, 'Do not drain, scale or roll out')
    const failed = names.filter((pod) => event.message.startsWith(pod))
    t.equal(failed.length, 1)
    endpoints.reset()
    for (const value of ['other-2', 'other-3']) {
      await emulator.setSecret(vault, 'other', value)
      const [survivor = ''] = names.filter((pod) => !failed.includes(pod))
      await logHas(namespace, survivor, sidecarContainer, /"event":"turn","state":"halted"/)
    }
    const { code, stdout } = await rotation()
    t.equal(code, 1)
    t.match(stdout, `behind`)
    t.match(stdout, /halted: web-\S+: three processes/)
    t.notMatch(stdout + event.message, /kfzq|four|other-[123]/, 'no value')
    const ready = (await pods()).filter(isReady)
    t.equal(ready.length, replicas - 1, 'the others serve the old version')
    t.equal(endpoints.fewest(), replicas - 1)

    await emulator.setSecret(vault, name, 'five')
    await all('five')
    await readyPods(namespace, 'app=web', replicas, 180)
    t.equal(endpoints.fewest(), replicas - 1, 'the pod that is down goes first')
    const { failed: lost, errors } = await count()
    t.equal(lost, 0, JSON.stringify(errors))
  })

  await t.test('a coordinator that is killed while a pod has its turn', async (t) => {
    endpoints.reset()
    await emulator.setSecret(vault, name, 'six')
    await eventually('a pod is out', async () => endpoints.fewest() < replicas)
    const selector = ['-l', 'app.kubernetes.io/name=akv-injector-coordinator', '-n', namespaceOf(turning)]
    await kubectl(['delete', 'pod', ...selector, '--force', '--grace-period=0'])
    await all('six')
    await readyPods(namespace, 'app=web', replicas, 180)
    t.equal(endpoints.fewest(), replicas - 1)
    const { failed, errors } = await count()
    t.equal(failed, 0, JSON.stringify(errors))
  })
})
