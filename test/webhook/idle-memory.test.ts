import t from 'tap'
import { createIdleMemory } from '../../webhook/idle-memory.ts'
import { settled, VirtualClock } from '../support/clock.ts'

void t.test('idle memory: one collection in the first lull after many reviews', async (t) => {
  const clock = new VirtualClock()
  const collected: number[] = []
  const reviewed = createIdleMemory({ clock, collect: () => collected.push(clock.elapsed()) })
  const advance = (milliseconds: number): Promise<void> => clock.advance(milliseconds, () => settled(() => true))
  for (let review = 0; review < 99; review++) reviewed()
  await advance(60_000)
  t.strictSame(collected, [], 'few reviews')
  for (let second = 0; second < 60; second++) {
    reviewed()
    await advance(1_000)
  }
  t.strictSame(collected, [], 'none while reviews come')
  await advance(14_000)
  t.equal(collected.length, 1)
  await advance(600_000)
  t.equal(collected.length, 1)
  for (let review = 0; review < 200; review++) reviewed()
  await advance(16_000)
  t.equal(collected.length, 2)
})

void t.test('idle memory: nothing without the flag', async (t) => {
  const clock = new VirtualClock()
  const reviewed = createIdleMemory({ clock, collect: undefined })
  for (let review = 0; review < 200; review++) reviewed()
  t.equal(clock.waiting, 0)
})
