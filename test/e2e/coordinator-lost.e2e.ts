import t, { type Test } from 'tap'
import { injectionLabel } from '../../shared/names.ts'
import { metadataOnly } from '../emulator/access.ts'
import { deployment } from './support/apps.ts'
import { installCoordinated, namespaceOf, vanishing } from './support/coordinated-installation.ts'
import { connectEmulator } from './support/emulator.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'
import { fleetSecrets, startFleet } from './support/fleet.ts'
import { apply, kubectl, list, type KubernetesObject } from './support/kubectl.ts'
import { readyPods } from './support/pods.ts'

const own = namespaceOf(vanishing)
const coordinatorPods = 'app.kubernetes.io/name=akv-injector-coordinator'
const replicas = 10
/** Seconds. */
const [pollInterval, coverageAge] = [5, 10]
/** Seconds for what the cluster itself takes, and a tenth of a poll interval. */
const rest = 3

interface CountedEvent extends KubernetesObject {
  reason: string
  count?: number
  involvedObject: { name: string }
}

void t.test('coordinator lost: pods poll again, and each follows a rotation meanwhile', async (t) => {
  await (await connectEmulator(t)).grant(vanishing.client, metadataOnly)
  const { scale, signal } = await installCoordinated(t, vanishing)
  const fixture = await makeFixture(t, fleetSecrets, { [injectionLabel]: vanishing.label })
  const { emulator, vault } = fixture
  const fleet = await startFleet(t, fixture, { replicas, annotations: { 'poll-interval': `${pollInterval}s` } })
  // Its Event stays true while coordinators come and go.
  await apply(
    deployment(fixture.namespace, 'deaf', 1, {
      annotations: { vault, objects: 'other', signal: 'SIGHUP', 'signal-container': 'app' },
      containers: [{ name: 'app', script: 'while :; do sleep 1; done' }],
    }),
  )
  const isCovered = (): Promise<void> => fleet.quiet(pollInterval * 1.5)
  const looks = async (): Promise<number> =>
    (await emulator.requests(vault, vanishing.client)).filter(({ status }) => status === 200).length

  /** Rotates while the coordinator cannot look, and checks that each pod found out in time. */
  const rotate = async (t: Test, value: string, bound: number): Promise<void> => {
    const before = await looks()
    const seconds = await fleet.rotate(value)
    t.equal(await looks(), before, 'the coordinator has not looked')
    const last = seconds.at(-1) ?? Infinity
    t.ok(last <= bound, `each pod was notified, the last after ${last.toFixed(1)} s; allowed: ${bound} s`)
    t.comment(`write to handler without a coordinator: ${last.toFixed(1)} s at most`)
  }

  await t.test('its process is stopped, and goes on', async (t) => {
    await isCovered()
    await signal('SIGSTOP')
    try {
      await rotate(t, 'stopped', coverageAge + pollInterval + rest)
    } finally {
      await signal('SIGCONT')
    }
    await isCovered()
  })

  await t.test('it is deleted, and comes back', async (t) => {
    await scale(0)
    await readyPods(own, coordinatorPods, 0)
    await rotate(t, 'deleted', pollInterval + rest)
  })

  for (const operation of ['secrets.list', 'secrets.versions']) {
    await t.test(`a write within the second before coverage begins, before the answer to ${operation}`, async (t) => {
      await scale(0)
      await readyPods(own, coordinatorPods, 0)
      const first = await emulator.hold({ vault, client: vanishing.client, operation })
      await scale(1)
      await first.arrived()
      // The look that coverage begins with has begun, and does not end before the vault has the new version.
      const seconds = await fleet.rotate(`before ${operation}`, () => first.release())
      const last = seconds.at(-1) ?? Infinity
      t.ok(last <= pollInterval + rest, `each pod was notified, the last after ${last.toFixed(1)} s`)
      await isCovered()
    })
  }

  await t.test('the next coordinator counts up an Event that stays true', async (t) => {
    const [event, ...more] = await eventually('it was counted up', async () => {
      const events = await list<CountedEvent>(fixture.namespace, 'events')
      const own = events.filter(({ reason }) => reason === 'SignalNotHandled')
      return own.some(({ count = 1 }) => count > 1) && own
    })
    t.match(event?.involvedObject.name, /^deaf-/)
    t.strictSame(more, [], 'there is no second one')
  })

  await t.test('its role is taken away', async (t) => {
    await emulator.grant(vanishing.client, [])
    await rotate(t, 'refused', pollInterval + 2 + rest)
    await eventually('its log names the role', async () =>
      (await kubectl(['logs', '-n', own, 'deployment/akv-injector-coordinator'])).includes('Key Vault Reader'),
    )
    await emulator.grant(vanishing.client, metadataOnly)
    await isCovered()
  })
})
