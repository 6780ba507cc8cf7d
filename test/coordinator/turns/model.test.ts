import t from 'tap'
import type { MaxUnavailable } from '../../../shared/coordination/turns.ts'
import { seededInteger, type RandomInteger } from '../../support/seeded-random.ts'
import { graceMs, World } from './world.ts'

/**
 * TURNS_RUNS=20 makes it run twenty times as many scenarios, TURNS_SEED those of an earlier run again. Of 60, each outcome that is asked for
 * has a dozen on average.
 */
const runs = 60 * Number(process.env['TURNS_RUNS'] ?? 1)
const first = Number(process.env['TURNS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const pick = <T>(items: Iterable<T>, draw: RandomInteger): T | undefined => {
  const all = [...items]
  return all[draw(all.length)]
}

/** What happens in a second of trouble, each with a small probability. */
const troubles: readonly [perMille: number, happen: (world: World, draw: RandomInteger) => unknown][] = [
  [15, (world, draw) => world.publish(draw(5) > 0)],
  [10, (world, draw) => pick(world.pods.values(), draw)?.crash()],
  [15, (world, draw) => deletePod(world, draw(2) === 0, draw)],
  [20, (world, draw) => disconnect(world, draw)],
  [100, (world, draw) => disconnectHolder(world, draw)],
  [5, (world, draw) => stopCenter(world, draw)],
  [40, (world, draw) => replaceCenter(world, draw)],
  [6, (world) => world.centers.size < 2 && world.startCenter()],
  [3, (world, draw) => world.leases.isolate(pick(world.centers, draw)?.name ?? '')],
]

function deletePod(world: World, saysSo: boolean, draw: RandomInteger): void {
  const pod = pick(world.pods.values(), draw)
  if (pod) world.deletePod(pod, saysSo)
}

function disconnect(world: World, draw: RandomInteger): void {
  const pod = pick(world.pods.values(), draw)
  if (pod) world.disconnect(pod)
}

const holders = (world: World) =>
  [...world.pods.values()].filter(({ request }) => request?.phase === 'taken' || request?.phase === 'switched')

/** The moments between a grant and the end of a turn are short. */
function disconnectHolder(world: World, draw: RandomInteger): void {
  const pod = pick(holders(world), draw)
  if (pod) world.disconnect(pod)
}

function stopCenter(world: World, draw: RandomInteger): Promise<void> | undefined {
  const center = pick(world.centers, draw)
  return center && world.stopCenter(center, draw(2) === 0)
}

/** Another coordinator is there at once, while a turn is held. */
async function replaceCenter(world: World, draw: RandomInteger): Promise<void> {
  if (holders(world).length === 0 || world.centers.size > 1) return
  await stopCenter(world, draw)
  world.startCenter()
}

async function trouble(world: World, seconds: number, draw: RandomInteger): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    for (const [perMille, happen] of troubles) if (draw(1_000) < perMille) await happen(world, draw)
    await world.tick()
    check(world)
  }
}

function check(world: World): void {
  const down = world.takenDown()
  const missing = world.missing()
  if (down.length + missing > world.most)
    throw new Error(`${down.map(({ uid }) => uid).join(', ')} are down, ${missing} missing, ${world.most} may be`)
  const tried = world.canaries()
  if (tried.length > 1) throw new Error(`${tried.map(({ uid }) => uid).join(', ')} try a new version at the same time`)
}

void t.test('turns: at no time do they take down more pods than may be unavailable, and they go on', async (t) => {
  t.comment(`TURNS_SEED=${first}`)
  const limits: MaxUnavailable[] = [{ count: 1 }, { count: 2 }, { percent: 40 }]
  const outcomes: Record<string, number> = {}
  for (let run = 0; run < runs; run++) {
    const seed = first + run
    const draw = seededInteger(seed)
    const maxUnavailable = limits[draw(limits.length)] as MaxUnavailable
    const timeoutMs = 600_000
    const world = new World({ draw, maxUnavailable, timeoutMs, pods: 2 + draw(7) })
    try {
      await trouble(world, 1_500, draw)
      // From here on all is well: a coordinator that has the Lease, and a version that is good.
      for (const center of [...world.centers]) await world.stopCenter(center, true)
      world.startCenter()
      world.publish(true)
      const seconds = (graceMs + timeoutMs) / 1_000 + 60 + world.pods.size * 60
      for (let second = 0; second < seconds && (second < 61 || world.behind().length > 0); second++) {
        await world.tick()
        check(world)
      }
      const behind = world.behind().map(({ uid, request, isUp }) => ({ uid, isUp, request }))
      t.strictSame(behind, [], `all pods have the last version (TURNS_SEED=${seed})`)
    } catch (error) {
      t.fail(`TURNS_SEED=${seed}: ${(error as Error).message}`)
    }
    for (const center of [...world.centers]) await world.stopCenter(center, false)
    for (const [outcome, count] of Object.entries(world.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count
  }
  t.comment(JSON.stringify(outcomes))
  for (const outcome of ['done', 'failed', 'left', 'declined']) t.ok(outcomes[outcome], `some turns end as ${outcome}`)
})
