import t from 'tap'
import { linkOf, longestMessage } from '../../shared/kubernetes/event-sender.ts'
import { createSyncEvents } from '../../sync/events.ts'
import type { SyncMessage } from '../../sync/reasons.ts'
import { ApiError } from '../../shared/kubernetes/api.ts'
import { capturedLog } from '../support/captured-log.ts'
import { VirtualClock } from '../support/clock.ts'
import { ObjectApi } from './object-api.ts'

const subject = { namespace: 'shop', name: 'web', uid: 'uid-web' }
const path = '/api/v1/namespaces/shop/events'

function setUp(api = new ObjectApi(), clock = new VirtualClock()) {
  const { log, lines } = capturedLog()
  const events = createSyncEvents({ api, instance: 'sync-1', log, clock })
  const sent = () =>
    [...api.objects.values()] as unknown as (Record<string, unknown> & { count: number; message: string })[]
  const tell = (message: SyncMessage, one = subject) => events.tell(one, message)
  return { api, clock, events, lines, sent, tell }
}
const failed: SyncMessage = { reason: 'SyncFailed', message: 'the vault is down' }

void t.test(
  'sync events: an Event is on the class, and is counted up every ten minutes while it stays true',
  async (t) => {
    const { sent, tell, clock, api } = setUp()
    await tell(failed)
    t.match(sent(), [
      {
        ...{ type: 'Warning', reason: 'SyncFailed', message: `the vault is down${linkOf('SyncFailed')}`, count: 1 },
        involvedObject: { apiVersion: 'secrets-store.csi.x-k8s.io/v1', kind: 'SecretProviderClass', ...subject },
        reportingComponent: 'akv-injector-sync',
      },
    ])
    for (let minute = 0; minute < 9; minute++) {
      await clock.advance(60_000, async () => undefined)
      await tell(failed)
    }
    t.equal(api.calls.length, 1, 'not sent again')
    await clock.advance(61_000, async () => undefined)
    await tell(failed)
    t.match(sent(), [{ count: 2 }])
    await tell({ ...failed, message: 'another' })
    t.equal(sent().length, 2)
  },
)

void t.test('sync events: a write is told once, also by a process that begins after the one that wrote', async (t) => {
  const { sent, tell, api, clock } = setUp()
  const synced: SyncMessage = { reason: 'Synced', secret: 'db', message: 'Secret db has x', at: clock.now() }
  await tell(synced)
  await tell(synced)
  const later = setUp(api, clock)
  await later.tell(synced)
  t.match(sent(), [{ type: 'Normal', count: 1, message: /x$/ }], 'nothing is wrong, so there is no link')
  t.equal(sent().length, 1)
  await later.tell({ ...synced, at: clock.now() + 1 })
  t.equal(sent().length, 2, 'the next write')
  const count = api.calls.length
  await setUp(api, clock).tell({ ...synced, at: clock.now() - 601_000 })
  t.equal(api.calls.length, count, 'one of long ago is not told again')
})

void t.test(
  'sync events: messages are bounded and printable, and an Event that cannot be sent stops nothing',
  async (t) => {
    const { sent, tell, api, lines } = setUp()
    await tell({ reason: 'SyncRefused', message: `\u001b[31m${'x'.repeat(2000)}` })
    t.equal(sent()[0]?.message.length, longestMessage)
    t.match(sent()[0]?.message, /x… \(docs: troubleshooting\.md#event-sync-refused\)$/, 'the link is not cut')
    t.notMatch(sent()[0]?.message, '\u001b')
    const role = `apply ${'x'.repeat(1000)}`
    await tell({ reason: 'RoleMissing', message: role, isUnlinked: true })
    t.equal(sent()[1]?.message, role, 'a Role that needs the space is complete')
    api.objects.clear()
    await tell({ reason: 'SyncRefused', message: 'again' })
    api.before = () => {
      throw new ApiError(500, 'POST: 500')
    }
    await tell(failed)
    t.match(lines.join(''), /event-failed/)
    api.before = () => undefined
    await tell(failed)
    t.equal(sent().length, 2, 'and is sent the next time')
  },
)

void t.test('sync events: a namespace that has too many does not fill the cluster', async (t) => {
  const { events, api, tell } = setUp()
  for (let index = 0; index < 80; index++) await tell({ ...failed, message: `failure ${index}` })
  t.equal(api.count(`POST ${path}`), 50)
  t.equal(events.dropped(), 30)
  await tell(failed, { ...subject, namespace: 'other' })
  t.equal(api.count('POST /api/v1/namespaces/other/events'), 1, 'another namespace has its own')
})
