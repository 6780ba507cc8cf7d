import t from 'tap'
import { metadataOnly } from '../../emulator/access.ts'
import { installCoordinated, namespaceOf, syncing } from '../support/coordinated-installation.ts'
import { failure, healthy, linesOf } from '../support/check-command.ts'
import { connectEmulator } from '../support/emulator.ts'
import { eventually } from '../support/eventually.ts'
import { kubectl } from '../support/kubectl.ts'
import { readyPods } from '../support/pods.ts'
import * as sync from '../support/sync.ts'

const own = namespaceOf(syncing)

/** Its program would report Roles that it lacks on the classes of other scenarios. */
void t.test(
  'sync coordinator: a write reaches the Secret in seconds, and one that it missed as soon as it is back',
  async (t) => {
    await (await connectEmulator(t)).grant(syncing.client, metadataOnly)
    const { scale } = await installCoordinated(t, syncing)
    await readyPods(own, 'app.kubernetes.io/name=akv-injector-sync', 1, 60)
    const fixture = await sync.makeSyncFixture(t, { password: 'one' })
    const { namespace, emulator, vault } = fixture
    const one = await sync.applyClass(t, fixture, {
      objects: [sync.secretLines('password')],
      secretObjects: [sync.opaque('db', { password: 'password' })],
      annotations: { 'azure.keyvault.injector/poll-interval': '1h' },
    })
    await sync.applyRole(one, { programNamespace: own })
    await sync.secretHas(namespace, 'db', { password: 'one' })
    const sessions = async (count: number): Promise<boolean> =>
      eventually(`${count} sessions began`, async () => {
        const log = await kubectl(['logs', '-n', own, 'deployment/akv-injector-sync'])
        return log.split('the session with the coordinator began').length > count
      })
    await sessions(1)

    const began = performance.now()
    await emulator.setSecret(vault, 'password', 'two')
    await sync.secretHas(namespace, 'db', { password: 'two' })
    t.comment(`write to Secret, polled once an hour: ${((performance.now() - began) / 1000).toFixed(1)} s`)

    const system = ['--system-namespace', own]
    const well = linesOf(await healthy(...system), 'OK')
    for (const line of [
      /^programs: .*akv-injector-coordinator: 1 of 1/,
      /^certificate: .*the coordinator's certificate/,
    ])
      t.ok(
        well.some((one) => line.test(one)),
        `check: ${line}`,
      )
    await scale(0)
    const down = /^programs: .*akv-injector-coordinator: is scaled to 0; pods poll meanwhile/
    t.match(await failure(down, ...system), down, 'check finds that it is away')
    await readyPods(own, 'app.kubernetes.io/name=akv-injector-coordinator', 0)
    await emulator.setSecret(vault, 'password', 'three')
    await scale(1)
    await sync.secretHas(namespace, 'db', { password: 'three' })
    await sessions(2)
  },
)
