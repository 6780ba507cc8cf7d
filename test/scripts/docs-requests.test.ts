import t from 'tap'
import { polledAnHour, watchedAnHour } from '../../scripts/docs/requests.ts'
import { CoordinatedFleet } from '../bench/coordinated-fleet.ts'

const minute = 60_000
const hour = 60 * minute
const hours = 9
const pods = 20

/** The requests of a fleet in an hour, coordinator included, after its start. */
async function measured(options: { secrets: number; watchInterval?: number; settings?: { fullRefresh: number } }) {
  const fleet = new CoordinatedFleet({ pods, ...options })
  if (options.watchInterval !== undefined) fleet.coordinator.start()
  await fleet.pass(12 * minute)
  const before = fleet.vault.requests
  await fleet.pass(hours * hour)
  return (fleet.vault.requests - before) / hours
}

void t.test('docs: the requests of the table are those of a fleet in virtual time', async (t) => {
  for (const objects of [1, 10]) {
    const [polled, watched] = [polledAnHour({ pods, objects }), watchedAnHour({ pods, objects })]
    const [ofPolls, ofBoth] = [
      await measured({ secrets: objects }),
      await measured({ secrets: objects, watchInterval: 15_000 }),
    ]
    t.ok(Math.abs(ofPolls / polled - 1) < 0.05, `polls of ${objects} objects: ${ofPolls}, and ${polled} in the table`)
    t.ok(Math.abs(ofBoth / watched - 1) < 0.05, `with a coordinator: ${ofBoth}, and ${watched} in the table`)
  }
})

void t.test('docs: with a full refresh of a day, a covered pod lists its vault once an hour', async (t) => {
  const ofBoth = await measured({ secrets: 10, watchInterval: 15_000, settings: { fullRefresh: 24 * hour } })
  const lists = hour / 15_000 + pods / 0.9
  t.ok(Math.abs(ofBoth / lists - 1) < 0.1, `${ofBoth}, and ${lists} expected`)
})
