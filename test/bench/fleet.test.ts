import t from 'tap'
import { FleetClock } from './fleet-clock.ts'
import { pollInStep } from './fleet-in-step.ts'
import { startFleet } from './fleet-pods.ts'
import { FleetVault, limit } from './fleet-vault.ts'

const minute = 60_000
const start = Date.UTC(2026, 0, 1)

void t.test('bench fleet: polls, and picks up a rotation that happened during an outage', async (t) => {
  const clock = new FleetClock(start)
  const vault = new FleetVault({ clock, secrets: 10, mayList: true })
  const pods = startFleet({ pods: 20, secrets: 10, vault, clock })
  await clock.runUntil(minute)
  t.ok(pods.every(({ readyAt = Infinity }) => readyAt < minute))
  const before = { polls: vault.polls, requests: vault.requests }
  await clock.runUntil(11 * minute)
  const polls = vault.polls - before.polls
  t.ok(Math.abs(polls - 100) < 15, `${polls} polls of 20 pods in 10 minutes`)
  t.equal(vault.requests - before.requests, polls, 'a request each')
  vault.isDown = true
  vault.rotate()
  await clock.runUntil(16 * minute)
  t.ok(pods.every(({ switchedAt = Infinity }) => switchedAt < minute))
  vault.isDown = false
  await clock.runUntil(21 * minute)
  t.ok(pods.every(({ switchedAt = 0 }) => switchedAt > 16 * minute))
})

void t.test('bench fleet: without permission to list, one GET per object and one LIST per hour', async (t) => {
  const clock = new FleetClock(start)
  const vault = new FleetVault({ clock, secrets: 10, mayList: false })
  startFleet({ pods: 5, secrets: 10, vault, clock })
  await clock.runUntil(minute)
  t.equal(vault.lists, 5)
  const before = { polls: vault.polls, requests: vault.requests }
  await clock.runUntil(59 * minute)
  t.equal(vault.lists, 5)
  t.equal(vault.requests - before.requests, 10 * (vault.polls - before.polls))
  await clock.runUntil(65 * minute)
  t.equal(vault.lists, 10)
})

void t.test('bench fleet: polls in step exceed what the vault answers at once', async (t) => {
  const clock = new FleetClock(start)
  const vault = new FleetVault({ clock, secrets: 10, mayList: false })
  await pollInStep({ pods: 1000, secrets: 10, interval: 2 * minute, until: 4 * minute }, vault, clock)
  t.equal(vault.perSecond[0], 10_000)
  t.equal(vault.perSecond[120], 10_000)
  t.equal(vault.throttled, 2 * (10_000 - limit.requests))
})
