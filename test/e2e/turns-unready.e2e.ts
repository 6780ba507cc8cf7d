import t from 'tap'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { metadataOnly } from '../emulator/access.ts'
import { failing, installCoordinated } from './support/coordinated-installation.ts'
import { drainingWeb, supervised, watchEndpoints } from './support/draining-web.ts'
import { connectEmulator } from './support/emulator.ts'
import { makeFixture } from './support/fixture.ts'
import { apply } from './support/kubectl.ts'
import { logHas, readyPods } from './support/pods.ts'
import { turnsByOutcome } from './support/turns.ts'

const replicas = 4
const name = 'db-password'

void t.test('turns unready: a secret with which the app is never ready takes down one pod of four', async (t) => {
  await (await connectEmulator(t)).grant(failing.client, metadataOnly)
  await installCoordinated(t, failing)
  const labels = { [injectionLabel]: failing.label }
  const { namespace, emulator, vault } = await makeFixture(t, { [name]: 'one' }, labels)
  // Two may be down, but the first with new versions is alone until it is known what becomes of it.
  const annotations = {
    ...{ vault, objects: name, 'poll-interval': '3s', signal: 'SIGTERM', 'signal-container': 'app' },
    ...{ 'signal-process': supervised, 'max-unavailable': '2', 'min-ready': '1s', 'turn-timeout': '15s' },
  }
  await apply(...drainingWeb(namespace, { replicas, annotations, periodSeconds: 1, isSupervised: true }))
  const names = (await readyPods(namespace, 'app=web', replicas, 180)).map(({ metadata }) => metadata.name)
  for (const pod of names) await logHas(namespace, pod, sidecarContainer, 'the session with the coordinator began')
  const endpoints = await watchEndpoints(t, namespace, replicas)
  await emulator.setSecret(vault, name, 'never-ready')
  const ends = /"event":"turn","state":"(halted|failed)"/
  const logs = await Promise.all(names.map((pod) => logHas(namespace, pod, sidecarContainer, ends, 90)))
  t.strictSame(logs.map((log) => ends.exec(log)?.[1]).sort(), ['failed', 'halted', 'halted', 'halted'])
  t.equal(endpoints.fewest(), replicas - 1, 'never two were out')
  t.strictSame(await turnsByOutcome(failing), { failed: 1 })

  await emulator.setSecret(vault, name, 'two')
  await Promise.all(names.map((pod) => logHas(namespace, pod, 'app', 'serving two', 120)))
  await readyPods(namespace, 'app=web', replicas, 60)
})
