import t from 'tap'
import { injectionLabel } from '../../shared/names.ts'
import { metadataOnly } from '../emulator/access.ts'
import { installCoordinated, queueing } from './support/coordinated-installation.ts'
import { connectEmulator } from './support/emulator.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'
import { fleetSecrets, startFleet, type LogLine } from './support/fleet.ts'
import { turnsByOutcome } from './support/turns.ts'

const replicas = 30
/** Seconds; the shortest that is allowed. */
const turnTimeout = 10

/** The turn of a pod: when it switched and when it was up, in milliseconds since 1970, as its sidecar logged it. */
function turnOf(pod: string, lines: readonly LogLine[]) {
  const turns = lines.filter(({ event }) => event === 'turn')
  const times = (state: string): number[] =>
    turns.filter((line) => line.state === state).map(({ time }) => Date.parse(time))
  return { pod, switches: times('switched').length, from: times('switched')[0], to: times('none')[0] }
}

void t.test('turns queue: thirty pods take turns for longer than turn-timeout, and none goes ahead', async (t) => {
  await (await connectEmulator(t)).grant(queueing.client, metadataOnly)
  await installCoordinated(t, queueing)
  const fixture = await makeFixture(t, fleetSecrets, { [injectionLabel]: queueing.label })
  const turns = { 'max-unavailable': '1', 'min-ready': '1s', 'turn-timeout': `${turnTimeout}s` }
  const fleet = await startFleet(t, fixture, { replicas, annotations: { 'poll-interval': '10s', ...turns } })
  await fleet.rotate('password-2')
  const turnsOfPods = () => [...fleet.lines].map(([pod, lines]) => turnOf(pod, lines))
  await eventually('each sidecar says that its turn has ended', async () =>
    turnsOfPods().every(({ to }) => to !== undefined),
  )
  const held = turnsOfPods().toSorted((one, other) => (one.from ?? 0) - (other.from ?? 0))

  t.ok(
    held.every(({ switches }) => switches === 1),
    'each pod switched once',
  )
  const overlapping = held.filter(({ from = 0 }, index) => from < (held[index - 1]?.to ?? 0))
  t.strictSame(overlapping, [], 'no pod switched before the one before it was up')
  const seconds = ((held.at(-1)?.from ?? 0) - (held[0]?.from ?? 0)) / 1000
  t.ok(seconds > 2 * turnTimeout, `the last one switched ${seconds.toFixed(1)} s after the first`)
  t.comment(`${replicas} turns: ${seconds.toFixed(1)} s, with a turn-timeout of ${turnTimeout} s`)
  // Only a pod that loses its session ever goes ahead without a turn.
  const sessions = [...fleet.lines].filter(([, lines]) => lines.some(({ connected }) => connected === false))
  t.strictSame(sessions, [], 'no sidecar lost its session')
  t.strictSame(await turnsByOutcome(queueing), { done: replicas })
})
