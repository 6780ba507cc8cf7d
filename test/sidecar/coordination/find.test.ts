import t, { type Test } from 'tap'
import { Watcher } from '../../../coordinator/watch/watcher.ts'
import type { CoordinatorEvent } from '../../../shared/coordination/events.ts'
import type { FindSpec } from '../../../shared/objects/find.ts'
import { findsOf } from '../../support/find-spec.ts'
import { coordinatedPod, myVault } from './scene.ts'

const minute = 60_000
const app = { app: 'web' }

/** A pod with a find, and the coordinator's own watcher of the same vault, which has been there for a day. */
async function watchedFind(t: Test, find: Partial<FindSpec> = { tags: app }, isWatching = true) {
  const scene = await coordinatedPod(t, [], { find: findsOf(find) })
  const { pod, clock, sessions, served } = scene
  for (const name of ['web-a', 'web-b']) pod.vault.set(name, `${name}-1`, { tags: app })
  pod.vault.set('other', 'other-1')
  await pod.advance(86_400_000)
  const watcher = new Watcher({
    ...{ clock, vault: () => pod.vault, isAllowed: () => isWatching },
    watchInterval: () => 15_000,
    hintRate: () => 300,
    onFailure: () => undefined,
  })
  t.teardown(() => watcher.close())
  const told: CoordinatorEvent[] = []
  const send = (event: CoordinatorEvent): void => {
    told.push(event)
    sessions.at(-1)?.onEvent(event)
  }
  const listener = { namespace: 'shop', send }
  let taken = 0
  let seconds = 0
  /** Lets time pass; snapshots go up, and each 20 s a heartbeat comes down. */
  const pass = async (milliseconds: number): Promise<void> => {
    for (const end = seconds + milliseconds / 1000; seconds < end; seconds++) {
      await pod.advance(1_000)
      const { number, objects } = served()
      if (number > taken) watcher.update(listener, (taken = number), objects)
      if (seconds % 20 === 0)
        send({ name: 'heartbeat', number: seconds + 1, snapshot: taken, looks: watcher.looks(listener) })
    }
  }
  await pod.start()
  await pass(10 * minute)
  pod.vault.asked.length = 0
  /** The sidecar's requests; the watcher's are lists, too. */
  const gets = (): string[] =>
    pod.vault.asked.splice(0).flatMap(({ operation, name = '' }) => (operation === 'get' ? name : []))
  return { ...scene, told, pass, gets, isCovered: () => pod.status().vaults[0]?.covered }
}

void t.test('find and coordinator: a covered find is not polled', async (t) => {
  const { pod, served, pass, isCovered } = await watchedFind(t)
  t.match(served().objects, [
    { vault: myVault, type: 'secret', name: '*', version: /^[0-9a-f]{64}$/ },
    { name: 'web-a' },
    { name: 'web-b' },
  ])
  t.ok(isCovered())
  const { polls } = pod.vault
  await pass(30 * minute)
  t.equal(pod.vault.polls, polls)
  t.equal(pod.vault.count('list'), 120, "the coordinator's own")
})

void t.test('find and coordinator: a match that comes, changes or goes is there within seconds', async (t) => {
  const { pod, pass, gets, isCovered } = await watchedFind(t)
  pod.vault.set('web-a', 'web-a-2')
  await pass(20_000)
  t.equal(pod.files()['web-a'], 'web-a-2')
  t.strictSame(gets(), ['web-a'])

  pod.vault.set('web-c', 'web-c-1', { tags: app })
  await pass(20_000)
  t.equal(pod.files()['web-c'], 'web-c-1')
  t.ok(gets().includes('web-c'))

  await pass(10 * minute)
  t.ok(isCovered(), 'the new match is covered, too')
  pod.vault.tag('web-b', { app: 'api' })
  await pass(20_000)
  t.strictSame(Object.keys(pod.files()), ['web-a', 'web-c'])
  pod.vault.delete('web-c')
  await pass(20_000)
  t.strictSame(Object.keys(pod.files()), ['web-a'])
  pod.vault.tag('other', app)
  await pass(20_000)
  t.strictSame(pod.files(), { 'web-a': 'web-a-2', other: 'other-1' })
})

void t.test('find and coordinator: a find without any match is covered, and told of the first one', async (t) => {
  const { pod, pass, isCovered } = await watchedFind(t, { name: 'api-*' })
  t.ok(isCovered())
  const { polls } = pod.vault
  await pass(20 * minute)
  t.equal(pod.vault.polls, polls)
  pod.vault.set('api-a', 'api-a-1')
  await pass(20_000)
  t.strictSame(pod.files(), { 'api-a': 'api-a-1' })
})

void t.test('find and coordinator: a find that cannot take over everything is polled', async (t) => {
  const { pod, served, pass, isCovered } = await watchedFind(t, { name: 'api-*', path: 'same' })
  pod.vault.set('api-a', 'api-a-1')
  await pass(5 * minute)
  t.ok(isCovered())
  pod.vault.set('api-b', 'api-b-1')
  await pass(20_000)
  t.strictSame(pod.files(), { same: 'api-a-1' })
  t.notOk(served().objects.some(({ name }) => name === '*'))
  t.notOk(isCovered())
  const { polls } = pod.vault
  await pass(60 * minute)
  t.ok(pod.vault.polls - polls >= 3, `${pod.vault.polls - polls} polls`)
  pod.vault.delete('api-b')
  await pass(20 * minute)
  t.ok(isCovered(), 'and covered again')
})

void t.test('find and coordinator: a list that the coordinator does not watch is polled', async (t) => {
  const { pod, pass, isCovered } = await watchedFind(t, { tags: app }, false)
  t.notOk(isCovered())
  const { polls } = pod.vault
  await pass(20 * minute)
  t.ok(pod.vault.polls - polls >= 8)
})

void t.test('find and coordinator: hints without end cost no more than polling', async (t) => {
  const { pod, pass, sessions } = await watchedFind(t)
  const { polls } = pod.vault
  for (let minutes = 0; minutes < 30; minutes++) {
    const change = { vault: myVault, type: 'secret' as const, name: '*', version: 'a'.repeat(64) }
    sessions.at(-1)?.onEvent({ name: 'change', spreadMs: 0, changes: [change] })
    await pass(minute)
  }
  t.ok(pod.vault.polls - polls <= 15 + 10, `${pod.vault.polls - polls} polls in half an hour`)
})
