import t from 'tap'
import { app, asked, findingPod } from '../../support/finding-pod.ts'
import { mostChanged } from '../../../sidecar/notify/notification.ts'
import { vaultUrl } from '../../support/settings.ts'

const minute = 60_000

void t.test('find: too many matches keep the pod from starting', async (t) => {
  const pod = await findingPod(t, [], { maxMatches: 1 })
  await pod.start()
  await pod.advance(minute)
  t.match(pod.end, {
    code: 1,
    reason:
      /^vault .*my-kv.*, find of secrets \* with tag app=web: 2 objects match, and at most 1 may: .*find\.maxMatches/,
  })
  t.strictSame(
    asked(pod).filter((one) => one !== 'list'),
    [],
    'nothing was read',
  )
})

void t.test('find: too many matches later keep the last good selection, whose values stay fresh', async (t) => {
  const pod = await findingPod(t, [], { maxMatches: 2 })
  await pod.start()
  pod.vault.set('web-c', 'web-c-1', { tags: app })
  pod.vault.set('web-a', 'web-a-2')
  asked(pod)
  await pod.advance(2 * minute)
  t.strictSame(pod.files(), { 'web-a': 'web-a-2', 'web-b': 'web-b-1' })
  t.strictSame(asked(pod).toSorted(), ['list', 'web-a'])
  t.match(pod.events('find'), [{ state: 'failing', kind: 'selection', msg: /3 objects match, and at most 2 may/ }])
  t.match(pod.sidecar?.metrics(), /find_failing\{vault="my-kv",type="secret",find="1"\} 1/)
  t.match(pod.sidecar?.metrics(), /find_matches\{vault="my-kv",type="secret",find="1"\} 2/)
  pod.vault.delete('web-b')
  pod.vault.tag('web-b', {})
  await pod.advance(3 * minute)
  t.strictSame(pod.files(), { 'web-a': 'web-a-2', 'web-c': 'web-c-1' })
  t.match(pod.events('find').at(-1), { state: 'recovered' })
})

void t.test('find: more pages than the administrator allows', async (t) => {
  const pod = await findingPod(t, [], { maxPages: 3 })
  pod.vault.others = 100
  await pod.start()
  await pod.advance(minute)
  t.match(pod.end, { code: 1, reason: /more than 3 pages: .*find\.maxPages/ })
})

void t.test('find: without the right to list, the pod does not start', async (t) => {
  const pod = await findingPod(t)
  pod.vault.mayList = false
  await pod.start()
  await pod.advance(minute)
  t.match(pod.end, { code: 1, reason: /list: forbidden \(for the whole vault, because a find lists it\)/ })
})

void t.test('find: without the right to list later, what is there stays fresh', async (t) => {
  const pod = await findingPod(t)
  await pod.start()
  pod.vault.mayList = false
  pod.vault.set('web-a', 'web-a-2')
  await pod.advance(3 * minute)
  t.strictSame(pod.files(), { 'web-a': 'web-a-2', 'web-b': 'web-b-1' })
  t.match(pod.status().finds, [{ problem: { kind: 'forbidden' } }])
})

void t.test('find: conflicts with a named object, a template and another match name both', async (t) => {
  const pod = await findingPod(t, ['web-a'])
  await pod.start()
  await pod.advance(minute)
  t.match(pod.end, {
    code: 1,
    reason:
      /find of secrets \* with tag app=web: left out: secret web-a: its file "web-a" is also that of secret web-a; rename/,
  })

  const later = await findingPod(t, ['db'], { templates: { 'web-c': 'x' }, finds: [{ tags: app }] })
  await later.start()
  later.vault.set('web-c', 'web-c-1', { tags: app })
  later.vault.set('web-d', 'web-d-1', { tags: app })
  later.vault.set('web-a', 'web-a-2')
  later.vault.tag('web-b', {})
  asked(later)
  await later.advance(2 * minute)
  t.strictSame(
    later.files(),
    { db: 'db-1', 'web-c': 'x', 'web-a': 'web-a-2', 'web-d': 'web-d-1' },
    'everything else goes on',
  )
  t.match(later.events('find'), [{ msg: /secret web-c: its file "web-c" is also that of template "web-c"/ }])
  t.strictSame(asked(later).toSorted(), ['list', 'web-a', 'web-d'], 'what is left out is not read')

  const fixed = await findingPod(t, [], { finds: [{ tags: { role: 'db' }, path: 'db/password' }] })
  fixed.vault.set('one', '1', { tags: { role: 'db' } })
  await fixed.start()
  t.strictSame(fixed.files(), { 'db/password': '1' }, 'a path without the name is for one')
  fixed.vault.set('a-second', '2', { tags: { role: 'db' } })
  await fixed.advance(3 * minute)
  t.strictSame(fixed.files(), { 'db/password': '1' }, 'the first stays')
  t.match(fixed.events('find'), [{ msg: /secret a-second: its file "db\/password" is also that of secret one/ }])
  fixed.vault.delete('one')
  await fixed.advance(3 * minute)
  t.strictSame(fixed.files(), { 'db/password': '2' }, 'until it ends')
})

void t.test('find: names of two vaults that conflict, whichever is polled first', async (t) => {
  const finds = [{ tags: app }, { tags: app, vault: vaultUrl('other') }]
  const pod = await findingPod(t, [], { finds })
  const other = pod.vaultOf('other')
  other.set('web-z', 'z', { tags: app })
  await pod.start()
  t.strictSame(pod.files(), { 'web-a': 'web-a-1', 'web-b': 'web-b-1', 'web-z': 'z' })
  other.set('web-a', 'a of other', { tags: app })
  await pod.advance(3 * minute)
  t.equal(pod.files()['web-a'], 'web-a-1')
  t.match(pod.status().finds, [{ problem: undefined }, { problem: { kind: 'selection' } }])
  pod.vault.delete('web-a')
  await pod.advance(5 * minute)
  t.equal(pod.files()['web-a'], 'a of other')
})

void t.test('find: a notification that is not delivered does not grow with matches that come and go', async (t) => {
  const pod = await findingPod(t, ['db'], { pollInterval: minute })
  await pod.start()
  pod.appListens = false
  pod.vault.set('db', 'db-2')
  await pod.advance(minute)
  const each = 90
  for (let round = 0; round < mostChanged / each + 2; round++) {
    for (let index = 0; index < each; index++) {
      pod.vault.set(`web-${round}-${index}`, 'x', { tags: app })
      if (round > 0) pod.vault.delete(`web-${round - 1}-${index}`)
    }
    await pod.advance(minute)
  }
  const { changed = [] } = pod.status().notification.pending ?? {}
  t.equal(changed.length, mostChanged)
  t.match(changed[0], { name: 'db' }, 'a change of an object that is there stays')
  t.match(changed.at(-1), { version: /./ })
})
