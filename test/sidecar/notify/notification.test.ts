import t from 'tap'
import { mergeNotifications, mostChanged, type Notification } from '../../../sidecar/notify/notification.ts'

const of = (
  id: string,
  switchedAt: number,
  dueAt: number,
  ...changed: [string, string, ...string[]][]
): Notification => ({
  id,
  switchedAt,
  dueAt,
  changed: changed.map(([name, version, ...paths]) => ({ type: 'secret', name, version, paths })),
})

void t.test('notifications: without a pending one, the new one stays as it is', async (t) => {
  const next = of('b', 10, 20, ['db', '2', 'db'])
  t.equal(mergeNotifications(undefined, next), next)
})

void t.test('notifications: the same switch again, as after a restart, stays as it is', async (t) => {
  const next = of('a', 10, 20, ['db', '2', 'db'])
  t.equal(mergeNotifications(of('a', 10, 20, ['db', '2', 'db']), next), next)
})

void t.test('notifications: changes since the last one add up, each at its last version', async (t) => {
  const merged = mergeNotifications(
    of('a', 10, 10, ['db', '2', 'db'], ['api', '7', 'api', 'conf.json']),
    of('b', 30, 30, ['api', '8', 'api', 'api.bak'], ['tls', '1', 'tls']),
  )
  t.strictSame(
    merged,
    of('b', 30, 30, ['db', '2', 'db'], ['api', '8', 'api', 'conf.json', 'api.bak'], ['tls', '1', 'tls']),
  )
})

void t.test('notifications: objects with one name in two vaults stay separate', async (t) => {
  const merged = mergeNotifications(of('a', 1, 1, ['db', '2', 'east/db']), of('b', 2, 2, ['db', '5', 'west/db']))
  t.strictSame(merged.changed, of('', 0, 0, ['db', '2', 'east/db'], ['db', '5', 'west/db']).changed)
})

void t.test('notifications: merging changes neither of them', async (t) => {
  const [first, second] = [of('a', 1, 5, ['db', '2', 'db']), of('b', 2, 9, ['db', '3', 'db'])]
  const before = structuredClone([first, second])
  mergeNotifications(first, second)
  t.strictSame([first, second], before)
})

void t.test('notifications: merging keeps a deadline that is still ahead', async (t) => {
  const due = (first: number, switchedAt: number, second: number) =>
    mergeNotifications(of('a', 0, first), of('b', switchedAt, second)).dueAt
  t.equal(due(300, 100, 350), 300, 'one ahead stays: changes that keep coming do not put it off')
  t.equal(due(300, 100, 110), 300, 'even where the new draw is shorter')
  t.equal(due(50, 100, 350), 350, 'one that has passed gives way')
})

void t.test('notifications: matches that come and go under new names do not add up forever', async (t) => {
  const template = { type: 'template', name: 'conf', version: '', paths: ['conf'] }
  const names = (from: number, count: number, version: string) =>
    Array.from({ length: count }, (_, index): [string, string, string] => [
      `web-${from + index}`,
      version,
      `web-${from + index}`,
    ])
  const first = of('0', 0, 0, ['db', '2', 'db'])
  let pending: Notification = { ...first, changed: [...first.changed, template] }
  for (let round = 1; round < 30; round++) {
    const ended = names((round - 1) * 100, 100, '')
    pending = mergeNotifications(pending, of(`${round}`, 0, 0, ...ended, ...names(round * 100, 100, '1')))
  }
  t.equal(pending.changed.length, mostChanged)
  t.strictSame(pending.changed.slice(0, 2), [...first.changed, template], 'what is still there stays, however old')
  const rest = pending.changed.slice(2)
  t.strictSame(rest[0], of('', 0, 0, ['web-2002', '', 'web-2002']).changed[0], 'the oldest that ended are left out')
  t.strictSame(rest.slice(-100), of('', 0, 0, ...names(2900, 100, '1')).changed)
})

void t.test('notifications: the limit holds for a single change, too', async (t) => {
  const objects = Array.from({ length: mostChanged + 5 }, (_, index): [string, string, string] => [
    `${index}`,
    index === 3 ? '' : '1',
    `${index}`,
  ])
  const { changed } = mergeNotifications(undefined, of('a', 0, 0, ...objects))
  t.equal(changed.length, mostChanged)
  t.strictSame(
    changed.slice(0, 2).map(({ name }) => name),
    ['5', '6'],
    'the one that ended, then the oldest',
  )
})
