import { createPrivateKey, X509Certificate } from 'node:crypto'
import t from 'tap'
import { opaque, secretObject, specOf } from './fixture.ts'
import { secretPath, startShop } from './shop.ts'

const db = (vault: string, ...more: string[]) =>
  specOf(
    [secretObject('user'), secretObject('password', ...more)],
    [opaque('db', { user: 'user', password: 'password' })],
    vault,
  )

void t.test('class sync: a Secret is created, left alone, and written again when an object changes', async (t) => {
  const { poll, vault, values, api } = await startShop(t, db)
  vault.setSecret('user', 'canary-user')
  vault.setSecret('password', 'canary-1')
  const first = await poll()
  t.match(first, {
    result: 'success',
    writes: [{ secret: 'db', outcome: 'created' }],
    messages: [{ reason: 'Synced', secret: 'db' }],
  })
  t.match(first.messages[0]?.message, /^Secret db has secret\/user@[0-9a-f]{32}, secret\/password@[0-9a-f]{32}$/)
  t.strictSame(values('db'), { user: 'canary-user', password: 'canary-1' })

  const patches = `PATCH ${secretPath('db')}`
  t.match(await poll(), { result: 'success', writes: [], messages: [] })
  t.equal(api.count(patches), 1)

  vault.setSecret('password', 'canary-2')
  t.match(await poll(), { writes: [{ outcome: 'updated' }] })
  t.strictSame(values('db'), { user: 'canary-user', password: 'canary-2' })
  t.notMatch(JSON.stringify(first), 'canary', 'no value is told')
})

void t.test(
  'class sync: a new process finds the Secret up to date, and makes up for an Event that was not sent',
  async (t) => {
    const { restart, poll, vault, api } = await startShop(t, db)
    vault.setSecret('user', 'u')
    vault.setSecret('password', 'p')
    const first = await poll()
    restart()
    const second = await poll()
    t.match(second, { writes: [{ outcome: 'unchanged' }], messages: [{ reason: 'Synced' }] })
    t.strictSame(second.messages, first.messages, 'the same Event, which is sent once')
    t.equal(api.count(`PATCH ${secretPath('db')}`), 1)
  },
)

void t.test('class sync: what somebody removes or deletes is written again', async (t) => {
  const { poll, vault, values, api } = await startShop(t, db)
  vault.setSecret('user', 'u')
  vault.setSecret('password', 'p')
  await poll()
  const kept = api.objects.get(secretPath('db'))!
  api.put(secretPath('db'), {
    ...kept,
    metadata: { ...kept.metadata, annotations: { ...(kept.metadata['annotations'] as object), x: 'y' } },
  })
  t.match(await poll(), { writes: [] }, 'an annotation of somebody else stays')
  api.put(secretPath('db'), { ...kept, data: { user: 'dQ==' } })
  t.match(await poll(), { writes: [{ outcome: 'updated' }] })
  t.strictSame(values('db'), { user: 'u', password: 'p' })
  api.objects.delete(secretPath('db'))
  t.match(await poll(), { writes: [{ outcome: 'created' }] })
})

void t.test('class sync: a foreign Secret is not touched, and its objects are not read', async (t) => {
  const { poll, vault, fixture, api } = await startShop(t, db)
  vault.setSecret('user', 'u')
  vault.setSecret('password', 'p')
  const foreign = api.put(secretPath('db'), { type: 'Opaque', data: { user: 'bWluZQ==' } })
  const { result, messages } = await poll()
  t.equal(result, 'refused')
  t.match(messages, [{ reason: 'Conflict', secret: 'db', message: /belongs to somebody else/ }])
  t.equal(api.objects.get(secretPath('db')), foreign)
  t.strictSame(fixture.emulator.journal.counts('shop-kv'), {}, 'no request to the vault')
  t.ok(api.count(`GET ${secretPath('db')} (metadata)`) > 0)
  t.equal(api.count(`GET ${secretPath('db')}`), 0, 'its values are not read')
})

void t.test('class sync: a Secret that appears between the read and the write is not touched', async (t) => {
  const { poll, vault, api } = await startShop(t, db)
  vault.setSecret('user', 'u')
  vault.setSecret('password', 'p')
  api.before = (call) => {
    if (call === `PATCH ${secretPath('db')}`) {
      api.before = () => undefined
      api.put(secretPath('db'), { type: 'Opaque', data: { user: 'bWluZQ==' } })
    }
  }
  t.match(await poll(), { result: 'failed', messages: [{ reason: 'Conflict' }], writes: [{ outcome: 'conflict' }] })
  t.strictSame(api.objects.get(secretPath('db'))?.['data'], { user: 'bWluZQ==' })
})

void t.test(
  'class sync: nothing is deleted or half written when objects are gone or forbidden, or the vault fails',
  async (t) => {
    const { poll, vault, values, fixture } = await startShop(t, db)
    vault.setSecret('user', 'u')
    vault.setSecret('password', 'p')
    await poll()
    const { emulator, clientId } = fixture
    vault.setSecret('user', 'new')
    const broken: [string, () => () => void][] = [
      [
        'gone',
        () => {
          vault.delete('secrets', 'password')
          return () => void vault.recover('secrets', 'password')
        },
      ],
      [
        'forbidden',
        () => {
          emulator.access.set(clientId, [{ vault: 'shop-kv', object: 'secrets/user' }])
          return () => emulator.access.clear()
        },
      ],
      [
        'unavailable',
        () => emulator.fault({ match: { vault: 'shop-kv' }, fault: { kind: 'status', status: 503 } }).remove,
      ],
    ]
    for (const [what, begin] of broken) {
      const end = begin()
      const { result, messages, writes } = await poll()
      t.equal(result, 'failed', what)
      t.match(messages, [{ reason: 'SyncFailed', message: /keep what they have$/ }], what)
      t.strictSame(writes, [], what)
      t.strictSame(values('db'), { user: 'u', password: 'p' }, what)
      end()
    }
    await poll()
    t.strictSame(values('db'), { user: 'new', password: 'p' }, 'and written when that is over')
  },
)

void t.test('class sync: key and certificate that are rotated between two reads never mix', async (t) => {
  const spec = (vault: string) =>
    specOf(
      [secretObject('crt'), secretObject('key')],
      [
        {
          secretName: 'web',
          type: 'kubernetes.io/tls',
          data: [
            { key: 'tls.crt', objectName: 'crt' },
            { key: 'tls.key', objectName: 'key' },
          ],
        },
      ],
      vault,
    )
  const { poll, vault, values, fixture, hooks } = await startShop(t, spec)
  const pairs = ['a', 'b', 'c'].map(() => fixture.emulator.authority!.issue({ names: ['web.example'] }))
  const rotate = (index: number): void => {
    vault.setSecret('crt', pairs[index]!.cert)
    vault.setSecret('key', pairs[index]!.key)
  }
  rotate(0)
  await poll()
  // Both are rotated again between the reads of the two.
  let isArmed = true
  hooks.onRequest = ({ operation, object }) => {
    if (!isArmed || operation !== 'get' || object !== 'crt') return
    isArmed = false
    rotate(2)
  }
  rotate(1)
  await poll()
  t.notOk(isArmed)
  const { 'tls.crt': certificate = '', 'tls.key': key = '' } = values('web')
  t.ok(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)), 'they fit')
  await poll()
  const serialOf = (pem = ''): string => new X509Certificate(pem).serialNumber
  t.equal(serialOf(values('web')['tls.crt']), serialOf(pairs[2]!.cert), 'the newest in the end')
})

void t.test('class sync: if one object of a Secret changes, all of them are read again, and only then', async (t) => {
  const { poll, vault, values, fixture, pass } = await startShop(t, db)
  vault.setSecret('user', 'u')
  vault.setSecret('password', 'one')
  pass(60_000)
  await poll()
  const { journal } = fixture.emulator
  const gets = async (): Promise<number> => {
    journal.reset()
    await poll()
    return journal.counts('shop-kv')['secrets.get'] ?? 0
  }
  t.equal(await gets(), 0, 'one list shows that nothing changed')
  pass(60_000)
  vault.setSecret('password', 'two')
  pass(60_000)
  t.equal(await gets(), 3, 'what changed, and then both')
  t.strictSame(values('db'), { user: 'u', password: 'two' })
  t.equal(await gets(), 0)
  vault.setSecret('user', 'new')
  vault.delete('secrets', 'password')
  pass(60_000)
  await poll()
  t.equal(await gets(), 1, 'the other half of a Secret that cannot be written is not read again and again')
})

void t.test('class sync: values that change while they are read are not written', async (t) => {
  const { poll, vault, values, hooks } = await startShop(t, db)
  const set = (value: string): void => {
    vault.setSecret('user', `user-${value}`)
    vault.setSecret('password', `password-${value}`)
  }
  set('first')
  await poll()
  let count = 0
  hooks.onRequest = ({ operation, object }) => {
    if (operation === 'get' && object === 'user') set(String(++count))
  }
  vault.setSecret('user', 'user-0')
  const { messages, writes } = await poll()
  t.match(messages, [{ reason: 'SyncFailed', message: /kept changing/ }])
  t.strictSame(writes, [])
  t.strictSame(values('db'), { user: 'user-first', password: 'password-first' })
  hooks.onRequest = () => undefined
  await poll()
  t.strictSame(values('db'), { user: `user-${count}`, password: `password-${count}` })
})

void t.test('class sync: an object that changes while others are read reaches all its Secrets', async (t) => {
  const { poll, vault, values, hooks, pass } = await startShop(t, (vault) =>
    specOf(
      [secretObject('x'), secretObject('y'), secretObject('z')],
      [opaque('a', { x: 'x', y: 'y' }), opaque('b', { y: 'y', z: 'z' })],
      vault,
    ),
  )
  for (const name of ['x', 'y', 'z']) vault.setSecret(name, 'one')
  pass(60_000)
  await poll()
  pass(60_000)
  vault.setSecret('x', 'two')
  let lists = 0
  // The second list confirms what the first one said. Then x is read again, for Secret a, together with y.
  hooks.onRequest = ({ operation }) => {
    if (operation === 'list' && ++lists === 2) vault.setSecret('y', 'two')
  }
  await poll()
  hooks.onRequest = () => undefined
  pass(60_000)
  await poll()
  t.strictSame(values('a'), { x: 'two', y: 'two' })
  t.strictSame(values('b'), { y: 'two', z: 'one' })
})

void t.test('class sync: the end of the program during a request is no failure of the vault', async (t) => {
  const { poll, fixture, end, api } = await startShop(t, db)
  fixture.emulator.fault({ match: { vault: 'shop-kv' }, fault: { kind: 'hang' } })
  const { token } = api
  api.token = async () => {
    setImmediate(end)
    return token()
  }
  const { messages, writes, result } = await poll()
  t.strictSame({ messages, writes, result }, { messages: [], writes: [], result: 'failed' })
})
