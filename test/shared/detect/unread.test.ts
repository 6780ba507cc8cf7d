import t from 'tap'
import type { Known } from '../../../shared/detect/read-plan.ts'
import type { Source } from '../../../shared/detect/sources.ts'
import { objectOf } from '../../support/settings.ts'
import { stand } from './vault-stand.ts'

const old = { version: '0', versions: ['0'], attributes: { enabled: true, updated: 1 }, answeredAt: 1e12, fetchedAt: 1 }

void t.test(
  'reading a vault: what a failure leaves unread fails with it, unless something is known of it',
  async (t) => {
    const known = ({ name }: Source): Known | undefined => (name === 'c' ? { record: old, refreshAt: 0 } : undefined)
    for (const kind of ['throttled', 'sign-in', 'unavailable', 'pending', 'forbidden'] as const) {
      const { fake, poll, sources } = stand([objectOf('a'), objectOf('b'), objectOf('c')], { known })
      fake.fault = ({ name }) => (name === 'a' ? { kind } : undefined)
      const { unread, failures } = await poll()
      const isStopped = kind !== 'pending' && kind !== 'forbidden'
      t.strictSame([...unread.keys()], isStopped ? [sources[1]] : [], kind)
      for (const failure of unread.values()) t.equal(failure, failures.get(sources[0] as Source))
    }
  },
)

void t.test('reading a vault: a throttled list leaves unread what it does not list', async (t) => {
  const known = ({ name }: Source): Known | undefined =>
    name === 'c' ? undefined : { record: old, refreshAt: Infinity }
  const { fake, poll, sources } = stand([objectOf('a'), objectOf('b'), objectOf('c')], { known })
  fake.fault = ({ operation }) => (operation === 'list' ? { kind: 'throttled' } : undefined)
  const { unread, listFailures } = await poll()
  t.strictSame([...unread], [[sources[2], listFailures[0]]])
})

void t.test(
  'reading a vault: a refused identity stops only its own objects, and one object at a time is tried',
  async (t) => {
    const objects = ['a', 'b', 'c', 'd'].map((name, index) => objectOf(name, { identity: Math.floor(index / 2) }))
    const { fake, poll, sources } = stand(objects)
    fake.fault = ({ name }) => ({ kind: name === 'a' ? 'unauthorized' : 'unavailable' })
    const { unread, failures } = await poll()
    t.strictSame(
      fake.asked.map(({ name }) => name),
      ['a', 'c'],
      'the vault does not answer either: nothing more is requested',
    )
    t.equal(unread.get(sources[3] as Source), failures.get(sources[2] as Source))
  },
)

void t.test('confirming: values of an identity that is refused meanwhile are not confirmed', async (t) => {
  const { fake, poll } = stand([objectOf('a'), objectOf('b'), objectOf('c', { identity: 1 })])
  fake.fault = ({ name }) => (name === 'b' ? { kind: 'sign-in' } : undefined)
  t.match(await poll(), { consistent: false })
  t.strictSame(
    fake.asked.map(({ operation, name }) => name ?? operation),
    ['a', 'b', 'c', 'list'],
  )
})
