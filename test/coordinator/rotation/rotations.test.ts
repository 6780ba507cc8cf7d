import t from 'tap'
import { objectsPerSession, type Rotations } from '../../../coordinator/rotation/rotations.ts'
import { reportedProblems } from '../../../shared/coordination/limits.ts'
import { identityOf, objectState, podState, rotationsWith, vault } from './scene.ts'

const podsOf = (rotations: Rotations, name: string): string[] =>
  [...rotations.objects()]
    .filter(({ object }) => object.name === name)
    .flatMap(({ pods }) => Array.from(pods, ({ identity }) => identity.pod))
const many = (count: number) => Array.from({ length: count }, (_, index) => objectState(`o${index}`))

void t.test('rotations: a state replaces the earlier one of the same pod, and of no other', async (t) => {
  const { rotations } = rotationsWith()
  const [one, other] = [identityOf('web-0'), identityOf('web-0', 'other')]
  rotations.update(one, podState([objectState('a'), objectState('b')]))
  rotations.update(other, podState([objectState('a', { version: 'forged' })]))
  rotations.update(one, podState([objectState('b', { version: 'v2' })]))
  t.strictSame(podsOf(rotations, 'a'), ['web-0'])
  t.equal([...rotations.pods()].find(({ identity }) => identity === one)?.objects.size, 1)
  t.equal(rotations.size, 2)
  rotations.forget(one.uid)
  t.strictSame([podsOf(rotations, 'a'), podsOf(rotations, 'b'), rotations.size], [['web-0'], [], 1])
})

void t.test('rotations: nothing is kept of vaults that the administrator does not list', async (t) => {
  const { rotations } = rotationsWith({ isAllowed: (namespace, url) => namespace === 'shop' && url === vault })
  const objects = [objectState('a'), objectState('b', { vault: 'https://other.vault.azure.net' })]
  rotations.update(identityOf('web-0'), podState(objects))
  rotations.update(identityOf('web-0', 'other'), podState(objects))
  t.equal(rotations.size, 1)
})

void t.test('rotations: there is a bound on all objects, and a namespace gets half of it', async (t) => {
  const limit = 10
  const { rotations } = rotationsWith({ limit })
  for (let pod = 0; pod < limit; pod++) rotations.update(identityOf(`web-${pod}`), podState(many(500)))
  t.equal(rotations.size, (limit * objectsPerSession) / 2)
  t.ok([...rotations.pods()].every(({ isCut }) => isCut))
  rotations.update(identityOf('web-0', 'other'), podState(many(5)))
  const pods = [...rotations.pods()]
  t.equal(pods.at(-1)?.isCut, false, 'another namespace is not affected')
  for (let pod = 0; pod < limit; pod++) rotations.update(identityOf(`web-${pod}`, `n${pod}`), podState(many(500)))
  t.equal(rotations.size, limit * objectsPerSession)
  for (const { identity } of [...rotations.pods()]) rotations.forget(identity.uid)
  t.equal(rotations.size, 0)
})

void t.test('rotations: messages of problems are kept for a bounded number of objects', async (t) => {
  const { rotations } = rotationsWith()
  const problem = { kind: 'forbidden', message: 'grant the role' }
  rotations.update(identityOf('web-0'), podState(many(30).map((one) => ({ ...one, problem }))))
  const objects = [...rotations.pods()].flatMap((pod) => [...pod.objects.values()])
  t.equal(objects.filter((one) => one.problem?.message !== undefined).length, reportedProblems)
  t.equal(objects.filter((one) => one.problem?.kind === 'forbidden').length, 30)
})

void t.test('rotations: a lost pod is kept for a while, and no more of them than sessions', async (t) => {
  const { rotations, clock } = rotationsWith({ limit: 3 })
  const pods = ['a', 'b', 'c', 'd'].map((name) => identityOf(name))
  for (const one of pods) rotations.update(one, podState([objectState('x')]))
  for (const { uid } of pods) rotations.lose(uid)
  t.strictSame(podsOf(rotations, 'x'), ['b', 'c', 'd'])
  await clock.advance(500_000, async () => undefined)
  rotations.update(identityOf('b'), podState([objectState('x')]))
  await clock.advance(200_000, async () => undefined)
  t.strictSame(podsOf(rotations, 'x'), ['b'], 'the one that came back')
  rotations.lose('unknown')
  t.equal(rotations.size, 1)
})
