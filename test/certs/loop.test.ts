import t from 'tap'
import type { Clock } from '../../certs/clock.ts'
import { systemClock } from '../../certs/clock.ts'
import { repeat } from '../../certs/loop.ts'

/** A clock on which nothing is ever over unless it is ended early. */
const endless: Clock = {
  now: () => 0,
  wait: (_milliseconds, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
}

function counted(pause: number) {
  const passes = { begun: 0, ended: 0, finish: () => undefined as void }
  const pass = async () => {
    passes.begun++
    await new Promise<void>((resolve) => (passes.finish = resolve))
    passes.ended++
    return pause
  }
  return { passes, pass }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

void t.test('a pass, a pause, a pass', async (t) => {
  const { passes, pass } = counted(1000)
  const loop = repeat(pass, endless)
  t.equal(passes.begun, 1, 'the first begins at once')
  passes.finish()
  await turn()
  t.equal(passes.begun, 1, 'the pause lasts')
  loop.wake()
  await turn()
  t.equal(passes.begun, 2, 'until it is ended')
  loop.wake()
  loop.wake()
  passes.finish()
  await turn()
  t.equal(passes.begun, 3, 'what happens during a pass begins one more, without a pause')
  passes.finish()
  await turn()
  t.equal(passes.begun, 3, 'and not two')
  await loop.stop()
})

void t.test('no pause where none is asked for', async (t) => {
  const { passes, pass } = counted(0)
  const loop = repeat(pass, endless)
  passes.finish()
  await turn()
  t.equal(passes.begun, 2)
  const stopped = loop.stop()
  passes.finish()
  await stopped
})

void t.test('stopping waits for the pass that is running, and is the end', async (t) => {
  const { passes, pass } = counted(0)
  const loop = repeat(pass, endless)
  const stopped = loop.stop().then(() => passes.ended)
  await turn()
  passes.finish()
  t.equal(await stopped, 1)
  loop.wake()
  await turn()
  t.equal(passes.begun, 1)
})

void t.test('the real clock waits, and stops waiting', async (t) => {
  const before = systemClock.now()
  await systemClock.wait(20, new AbortController().signal)
  t.ok(systemClock.now() - before >= 15)
  const controller = new AbortController()
  const waiting = systemClock.wait(2 ** 30, controller.signal)
  controller.abort()
  await waiting
  await systemClock.wait(2 ** 30, controller.signal)
})
