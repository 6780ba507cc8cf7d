import t from 'tap'
import { Replicas } from './replicas.ts'
import { second } from './scene.ts'

const count = 5
const period = 30 * second

void t.test('turns: ten rotations of five replicas, with a readiness probe of 30 s', async (t) => {
  const replicas = await Replicas.start(t, count, period)
  await replicas.until('all are endpoints', () => replicas.all.every(({ isEndpoint }) => isEndpoint))
  replicas.fewest = count
  for (let rotation = 1; rotation <= 10; rotation++) {
    replicas.set('a', `value-${rotation}`)
    await replicas.until(`all serve value-${rotation}`, () => replicas.serving('a', `value-${rotation}`) === count)
    await replicas.until('all are endpoints', () => replicas.all.every(({ isEndpoint }) => isEndpoint))
  }
  t.equal(replicas.fewest, count - 1, 'never two out of the endpoints')
})

void t.test('turns: a secret with which the app does not start, and two unrelated rotations', async (t) => {
  const replicas = await Replicas.start(t, count, period)
  await replicas.until('all are endpoints', () => replicas.all.every(({ isEndpoint }) => isEndpoint))
  replicas.fewest = count
  replicas.set('a', 'bad')
  await replicas.until('the others are halted', () => halted(replicas) === count - 1)
  for (const value of ['b-2', 'b-3']) {
    replicas.set('b', value)
    await replicas.pass(600 * second)
  }
  t.equal(replicas.serving('a', 'bad'), 1)
  t.equal(replicas.fewest, count - 1, 'one is down')
  replicas.set('a', 'good')
  await replicas.until('all serve the good one', () => replicas.serving('a', 'good') === count)
  await replicas.until('all are up', () => replicas.all.every(({ isEndpoint }) => isEndpoint))
  t.equal(replicas.fewest, count - 1)
})

void t.test('turns: of two secrets that fail together, one is replaced, and the other proves good', async (t) => {
  const replicas = await Replicas.start(t, count, period)
  await replicas.until('all are endpoints', () => replicas.all.every(({ isEndpoint }) => isEndpoint))
  replicas.fewest = count
  replicas.set('a', 'bad')
  replicas.set('b', 'b-2')
  await replicas.until('the others are halted', () => halted(replicas) === count - 1)
  replicas.set('b', 'b-3')
  await replicas.pass(600 * second)
  t.equal(replicas.serving('a', 'bad'), 1)
  t.equal(replicas.serving('b', 'b-3'), 1, 'the pod that failed tries the other one, and no other pod does')
  replicas.set('a', 'good')
  await replicas.until('all serve the good one', () => replicas.serving('a', 'good') === count)
  await replicas.until('all are up', () => replicas.all.every(({ isEndpoint }) => isEndpoint))
  t.equal(replicas.serving('b', 'b-3'), count)
  t.equal(replicas.fewest, count - 1, 'one is down')
  t.equal(halted(replicas), 0)
})

void t.test('turns: a coordinator and a sidecar that end in mid-turn', async (t) => {
  const replicas = await Replicas.start(t, count, period)
  await replicas.until('all are endpoints', () => replicas.all.every(({ isEndpoint }) => isEndpoint))
  replicas.fewest = count
  replicas.set('a', 'value-1')
  await replicas.until('one has its turn', () => replicas.holder() !== undefined)
  await replicas.replaceCoordinator(120 * second)
  await replicas.until('another one has its turn', () => replicas.serving('a', 'value-1') === 2)
  await replicas.until('it holds it', () => replicas.holder() !== undefined)
  const { scene } = replicas.holder() ?? {}
  scene?.pod.stop()
  await scene?.pod.start()
  await replicas.until('all serve it', () => replicas.serving('a', 'value-1') === count)
  await replicas.until('all are endpoints', () => replicas.all.every(({ isEndpoint }) => isEndpoint))
  t.equal(replicas.fewest, count - 1)
})

const halted = (replicas: Replicas): number =>
  replicas.all.filter(({ scene }) => scene.pod.status().turn?.state === 'halted').length
