import t from 'tap'
import type { WallClock } from '../../shared/clock.ts'
import { realClock } from '../../shared/clock.ts'
import { startLoop } from '../../certs/loop.ts'

/** A clock on which nothing is ever over unless it is ended early. */
const endless: WallClock = {
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

void t.test('loop: passes and pauses alternate', async (t) => {
  const { passes, pass } = counted(1000)
  const loop = startLoop(pass, endless)
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

void t.test('loop: a pass that asks for no pause is followed by the next at once', async (t) => {
  const { passes, pass } = counted(0)
  const loop = startLoop(pass, endless)
  passes.finish()
  await turn()
  t.equal(passes.begun, 2)
  const stopped = loop.stop()
  passes.finish()
  await stopped
})

void t.test('loop: stopping waits for the running pass, and no other follows', async (t) => {
  const { passes, pass } = counted(0)
  const loop = startLoop(pass, endless)
  const stopped = loop.stop().then(() => passes.ended)
  await turn()
  passes.finish()
  t.equal(await stopped, 1)
  loop.wake()
  await turn()
  t.equal(passes.begun, 1)
})

void t.test('loop: the real clock waits, and ends its wait when the loop stops', async (t) => {
  const before = realClock.now()
  await realClock.wait(20, new AbortController().signal)
  t.ok(realClock.now() - before >= 15)
  const controller = new AbortController()
  const waiting = realClock.wait(2 ** 30, controller.signal)
  controller.abort()
  await waiting
  await realClock.wait(2 ** 30, controller.signal)
})
