import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Authority } from '../../../coordinator/turns/authority.ts'
import { Lease } from '../../../coordinator/turns/lease.ts'
import { VirtualClock } from '../../support/clock.ts'
import { FakeLeases } from './leases.ts'

function scene() {
  const clock = new VirtualClock()
  const leases = new FakeLeases()
  const changes: string[] = []
  const start = (holder: string) => {
    const lease = new Lease({
      ...{ api: leases.api(holder), namespace: 'akv', name: 'coordinator', holder, clock },
      onChange: (one, error) => changes.push(`${holder} ${one.heldMs !== undefined} ${error?.message ?? ''}`.trim()),
    })
    void lease.run()
    const authority = new Authority(lease, () => 60_000, clock)
    return { lease, authority }
  }
  const passes = async (milliseconds: number) => clock.advance(milliseconds, turn)
  return { clock, leases, changes, start, passes }
}

void t.test('Lease: one process has it, and gives it back when it ends', async (t) => {
  const { start, passes, changes } = scene()
  const a = start('a')
  await passes(1_000)
  const b = start('b')
  await passes(60_000)
  t.ok(a.lease.heldMs)
  t.equal(b.lease.heldMs, undefined)
  t.equal(b.lease.other, 'a')
  await a.lease.close()
  await passes(3_000)
  t.ok(b.lease.heldMs, 'the next one has it at once')
  t.equal(a.lease.heldMs, undefined)
  t.strictSame(changes, ['a true', 'b true'])
  await b.lease.close()
})

void t.test('Lease: a process that cannot renew it loses it before another one gets it', async (t) => {
  const { leases, start, passes, changes } = scene()
  const a = start('a')
  await passes(5_000)
  const b = start('b')
  await passes(5_000)
  leases.isolate('a')
  let seconds = 0
  for (; b.lease.heldMs === undefined && seconds < 60; seconds++) {
    await passes(1_000)
    t.notOk(a.lease.heldMs !== undefined && b.lease.heldMs !== undefined, 'never both')
  }
  t.ok(seconds >= 13 && seconds <= 19, `after ${seconds} s`)
  t.match(changes.at(-2), /^a false connect ECONNREFUSED$/, 'its log says why')
  await b.lease.close()
  await a.lease.close().catch(() => undefined)
})

void t.test(
  'Authority: it grants when sidecars have had the time to come back, and sends them away when another one does',
  async (t) => {
    const { leases, start, passes } = scene()
    const a = start('a')
    await passes(1_000)
    t.match(a.authority.whyNot(), /just started, and grants turns in 5\ds/)
    await passes(60_000)
    t.equal(a.authority.whyNot(), undefined)
    const b = start('b')
    await passes(20_000)
    t.equal(b.authority.whyNot(), 'another coordinator has the Lease: a')
    t.equal(b.authority.isElsewhere(), false, 'for half a minute, it may be about to get it')
    await passes(15_000)
    t.equal(b.authority.isElsewhere(), true)
    leases.isolate('a')
    await passes(20_000)
    t.match(a.authority.whyNot(), /does not have its Lease/)
    t.match(b.authority.whyNot(), /just started/)
    t.equal(b.authority.isElsewhere(), false)
    await passes(40_000)
    t.equal(a.authority.isElsewhere(), true)
    leases.isolate('c')
    const alone = start('c')
    await passes(60_000)
    t.equal(alone.authority.isElsewhere(), false, 'where there may be no other one, it sends no pod away')
    await b.lease.close()
  },
)
