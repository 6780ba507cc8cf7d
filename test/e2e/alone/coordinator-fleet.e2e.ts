import t from 'tap'
import { injectionLabel } from '../../../shared/names.ts'
import { metadataOnly } from '../../emulator/access.ts'
import { crowded, installCoordinated } from '../support/coordinated-installation.ts'
import { connectEmulator } from '../support/emulator.ts'
import { makeFixture } from '../support/fixture.ts'
import { fleetSecrets, startFleet } from '../support/fleet.ts'

const replicas = 30
const pollInterval = 10

/**
 * Seconds of a write to the last handler: a look begins within `watchInterval`, a second list confirms it, the pods spread over one second,
 * and the rest is for what the cluster itself takes.
 */
const bound = { watchInterval: 2, secondList: 1.1, spread: 1, rest: 2 }

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.ceil(sorted.length * share) - 1] ?? Infinity

void t.test('coordinator fleet: thirty pods are notified within seconds, and send no request otherwise', async (t) => {
  await (await connectEmulator(t)).grant(crowded.client, metadataOnly)
  await installCoordinated(t, crowded)
  const fixture = await makeFixture(t, fleetSecrets, { [injectionLabel]: crowded.label })
  const { emulator, vault } = fixture
  const annotations = { 'poll-interval': `${pollInterval}s` }
  const fleet = await startFleet(t, fixture, { replicas, annotations })

  await t.test('pods that are covered send no request in two poll intervals', async (t) => {
    const looks = async (): Promise<number> => (await emulator.requests(vault, crowded.client)).length
    await fleet.quiet(pollInterval * 1.2)
    const before = { pods: await fleet.requests(), coordinator: await looks() }
    const began = performance.now()
    await fleet.quiet(pollInterval * 2)
    const seconds = (performance.now() - began) / 1000
    const after = { pods: await fleet.requests(), coordinator: await looks() }
    t.ok(before.pods >= replicas, 'each pod has read the vault')
    t.equal(after.pods, before.pods, `no request of ${replicas} pods in ${seconds.toFixed(1)} s`)
    t.ok(after.coordinator > before.coordinator, 'the coordinator looks meanwhile')
    t.comment(`requests in ${seconds.toFixed(1)} s: pods 0, coordinator ${after.coordinator - before.coordinator}`)
  })

  await t.test('a write reaches each handler within seconds', async (t) => {
    const seconds: number[] = []
    for (const value of ['password-2', 'password-3', 'password-4']) seconds.push(...(await fleet.rotate(value)))
    const sorted = seconds.sort((one, other) => one - other)
    const [p50, p99, last] = [0.5, 0.99, 1].map((share) => percentile(sorted, share))
    const most = Object.values(bound).reduce((sum, part) => sum + part)
    const text = `${p50?.toFixed(1)} s p50, ${p99?.toFixed(1)} s p99, ${last?.toFixed(1)} s at most`
    t.comment(`write to handler, ${replicas} pods, ${sorted.length} notifications: ${text}`)
    t.ok((p99 ?? Infinity) <= most, `p99: ${text}; allowed: ${most} s`)
    t.equal(sorted.length, 3 * replicas)
  })
})
