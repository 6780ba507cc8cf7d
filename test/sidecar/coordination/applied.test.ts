import { createHash } from 'node:crypto'
import t from 'tap'
import { parseReport } from '../../../shared/coordination/reports.ts'
import { objectOf } from '../../support/settings.ts'
import { coordinatedPod, myVault } from './scene.ts'

const url = 'http://localhost:8080/reload'

void t.test('applied: a version is reported after its switch, and as notified when the app was', async (t) => {
  const { pod, states } = await coordinatedPod(t, ['a'], { notify: { splay: 0, url } })
  await pod.start()
  await pod.advance(10_000)
  const first = states().at(-1)?.objects[0]?.version
  t.match(states().at(-1), {
    ...{ isServing: true, isSuspended: false },
    objects: [{ vault: myVault, type: 'secret', name: 'a', version: first, isPinned: false, notified: 'yes' }],
  })
  pod.appListens = false
  const second = pod.vault.set('a', 'a-2')
  await pod.advance(130_000)
  t.match(states().at(-1)?.objects, [{ version: second, notified: 'pending' }])
  pod.appListens = true
  await pod.advance(5_000)
  t.match(states().at(-1)?.objects, [{ version: second, notified: 'yes' }])
  const early = states().filter(({ objects }) => objects[0]?.version === second && objects[0].notified === 'yes')
  t.equal(early.length, 1, 'never before the app was notified')
  t.notMatch(JSON.stringify(states()), /a-[12]/, 'no value')
})

void t.test('applied: nothing in between is reported during a poll', async (t) => {
  const { pod, states } = await coordinatedPod(t, ['a', 'other-kv:secret/b'], { notify: { splay: 0, url } })
  let switching = 0
  pod.wrapVolume = (volume) => ({
    read: () => volume.read(),
    notified: () => volume.notified(),
    markNotified: (id) => volume.markNotified(id),
    clean: () => volume.clean(),
    async switchTo(...args) {
      switching++
      // The volume is slow.
      await pod.clock.wait(20_000)
      return volume.switchTo(...args)
    },
  })
  await pod.start()
  await pod.advance(30_000)
  const first = states().at(-1)?.objects[0]?.version
  pod.appListens = false
  const second = pod.vault.set('a', 'a-2')
  switching = 0
  while (switching === 0) await pod.advance(1_000)
  pod.annotations = { ...pod.annotations, suspend: 'true' }
  await pod.advance(5_000)
  t.match(states().at(-1), { isSuspended: true, objects: [{ name: 'a', version: first, notified: 'yes' }, {}] })
  await pod.advance(20_000)
  t.match(states().at(-1)?.objects, [{ name: 'a', version: second, notified: 'pending' }, {}])
  t.notOk(states().some(({ objects: [a] }) => a?.version === second && a.notified !== 'pending'))
})

void t.test('applied: a pod that may not read an object says why, and what it serves', async (t) => {
  const { pod, states } = await coordinatedPod(t, ['a', 'b'])
  pod.vault.fault = ({ name }) => (name === 'a' ? { kind: 'forbidden' } : undefined)
  await pod.start()
  await pod.advance(30_000)
  const state = states().at(-1)
  t.match(state, {
    isServing: false,
    objects: [{ name: 'a', problem: { kind: 'forbidden', message: /forbidden/ } }, {}],
  })
  t.strictSame(
    state?.objects.map(({ version }) => version),
    [undefined, undefined],
    'nothing is served yet',
  )
})

void t.test('applied: a pod that may not read an object any more says what it still serves', async (t) => {
  const { pod, states } = await coordinatedPod(t, ['a', 'b'])
  await pod.start()
  await pod.advance(10_000)
  const first = states().at(-1)?.objects[0]?.version
  t.type(first, 'string')
  pod.vault.fault = ({ name }) => (name === 'a' ? { kind: 'forbidden' } : undefined)
  pod.vault.set('a', 'a-2')
  await pod.advance(300_000)
  t.match(states().at(-1)?.objects[0], { version: first, problem: { kind: 'forbidden' } })
})

void t.test('applied: what nothing notifies is known from what the app started with', async (t) => {
  const { pod, states } = await coordinatedPod(t, ['a', 'b'], { variables: { B: 'b' } })
  await pod.start()
  await pod.advance(10_000)
  t.match(states().at(-1)?.objects, [{ notified: 'yes' }, { notified: 'yes' }], 'the app started with them')
  pod.vault.set('a', 'a-2')
  pod.vault.set('b', 'b-2')
  await pod.advance(130_000)
  t.match(states().at(-1)?.objects, [{ notified: 'none' }, { notified: 'variable' }])
  pod.stop()
  await pod.start()
  await pod.advance(10_000)
  t.match(states().at(-1)?.objects, [{ notified: 'none' }, { notified: 'variable' }], 'also after a restart')
})

void t.test('applied: a signal that restarts the app renews its variables', async (t) => {
  for (const [name, notified] of [
    ['SIGTERM', 'yes'],
    ['SIGHUP', 'variable'],
  ] as const) {
    const notify = { splay: 0, signal: { name, container: 'app' } }
    const { pod, states } = await coordinatedPod(t, ['b'], { variables: { B: 'b' }, notify })
    await pod.start()
    await pod.advance(10_000)
    pod.vault.set('b', 'b-2')
    await pod.advance(130_000)
    t.match(states().at(-1)?.objects, [{ notified }], name)
  }
})

void t.test('applied: a pinned object, and the end of the process', async (t) => {
  // The test's vault derives versions from the name and a number.
  const version = createHash('md5').update('a 1').digest('hex')
  const { pod, states, sessions, sent, end, leave } = await coordinatedPod(t, [objectOf(`a@${version}`)])
  await pod.start()
  await pod.advance(10_000)
  t.match(states().at(-1)?.objects, [{ name: 'a', version, isPinned: true }])
  const count = states().length
  await pod.advance(60_000)
  t.equal(states().length, count, 'only what differs is sent')
  await end()
  await pod.advance(10_000)
  t.equal(sessions.length, 2)
  t.equal(states().length, count + 1, 'each session begins with a state')
  leave()
  t.strictSame(parseReport(sent.at(-1)?.line ?? ''), { report: { type: 'leaving' } })
})

void t.test('applied: an optional object that the app never had is left out', async (t) => {
  const { pod, states } = await coordinatedPod(t, ['a', objectOf('b', { optional: true })])
  pod.vault.fault = ({ name }) => (name === 'b' ? { kind: 'forbidden' } : undefined)
  await pod.start()
  await pod.advance(10_000)
  t.match(states().at(-1), { isServing: true, objects: [{ name: 'a' }] })
  t.equal(states().at(-1)?.objects.length, 1)
})
