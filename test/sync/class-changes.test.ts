import t from 'tap'
import { ApiError } from '../../shared/kubernetes/api.ts'
import { linkOf } from '../../shared/kubernetes/event-sender.ts'
import { accountPath, classPath, secretPath, startShop } from './shop.ts'
import { opaque, secretObject, specOf } from './fixture.ts'

const db = (vault: string) => specOf([secretObject('password')], [opaque('db', { password: 'password' })], vault)

/** As the API server of Kubernetes 1.37 says it. */
const refusal =
  'serviceaccounts "web" is forbidden: User "system:serviceaccount:akv-injector-system:akv-injector-sync" cannot get resource "serviceaccounts" in API group "" in the namespace "shop"'

void t.test('class sync: a class without its Role says which one, and nothing else is requested', async (t) => {
  const { poll, vault, api, fixture } = await startShop(t, db)
  vault.setSecret('password', 'p')
  api.before = (call) => {
    if (call.includes('serviceaccounts')) throw new ApiError(403, `${call}: 403 ${refusal}`, refusal)
  }
  const { result, messages } = await poll()
  t.equal(result, 'refused')
  t.match(messages, [{ reason: 'RoleMissing', message: /akv-injector sync role web prints, or \{/ }])
  t.match(messages[0]?.message, '"resourceNames":["db"],"verbs":["get","create","patch"]')
  t.ok((messages[0]?.message.length ?? 0) + linkOf('RoleMissing').length <= 1024)
  t.notOk(messages[0]?.isUnlinked)
  t.strictSame(api.calls, [`GET ${classPath}`, `GET ${accountPath}`])
  t.strictSame(fixture.emulator.journal.counts('shop-kv'), {})
})

void t.test(
  'class sync: a Role that needs the space comes before the link, and one that is too long is left out',
  async (t) => {
    for (const [length, hasRole, isUnlinked] of [
      [100, true, true],
      [200, false, undefined],
    ] as const) {
      const { poll, api } = await startShop(t, (vault) =>
        specOf([secretObject('password')], [opaque('d'.repeat(length), { password: 'password' })], vault),
      )
      api.before = (call) => {
        if (call.includes('serviceaccounts')) throw new ApiError(403, `${call}: 403 ${refusal}`, refusal)
      }
      const [message] = (await poll()).messages
      t.equal(message?.message.includes('RoleBinding'), hasRole, `${length} characters`)
      t.equal(message?.isUnlinked, isUnlinked)
      t.ok((message?.message.length ?? 0) + (isUnlinked ? 0 : linkOf('RoleMissing').length) <= 1024)
    }
  },
)

void t.test('class sync: each right of the Role that is missing is told', async (t) => {
  for (const call of [`POST ${accountPath}/token`, `GET ${secretPath('db')}`, `PATCH ${secretPath('db')}`]) {
    const { poll, vault, api, values } = await startShop(t, db)
    vault.setSecret('password', 'p')
    api.before = (one) => {
      if (one === call) throw new ApiError(403, `${one}: 403 forbidden`, 'forbidden')
    }
    const { messages, result } = await poll()
    t.not(result, 'success', call)
    t.match(messages, [{ message: /403 forbidden/ }], call)
    t.strictSame(values('db'), {}, call)
    api.before = () => undefined
  }
})

void t.test('class sync: a ServiceAccount that does not exist, or may not sign in, is told', async (t) => {
  const { poll, vault, api, fixture } = await startShop(t, db)
  vault.setSecret('password', 'p')
  api.token = () => fixture.issuer.token({ namespace: 'shop', serviceAccount: 'other' })
  t.match(await poll(), { result: 'failed', messages: [{ reason: 'SyncFailed', message: /AADSTS70021/ }] })
  api.objects.delete(accountPath)
  t.match(await poll(), { result: 'refused', messages: [{ reason: 'SyncRefused', message: /no ServiceAccount web/ }] })
})

void t.test('class sync: a class that is gone or too large', async (t) => {
  const { poll, api } = await startShop(t, db)
  const kept = api.objects.get(classPath)!
  api.put(classPath, { ...kept, spec: { provider: 'azure', parameters: { objects: 'x'.repeat(400_000) } } })
  t.match(await poll(), { result: 'refused', messages: [{ reason: 'SyncRefused', message: /larger than 256 KiB/ }] })
  api.objects.delete(classPath)
  t.match(await poll(), { result: 'success', messages: [], writes: [] })
})

void t.test(
  'class sync: a template gives a registry login, and is rendered again when one of its secrets changes',
  async (t) => {
    const spec = (vault: string) =>
      specOf(
        [secretObject('pull-user'), secretObject('pull-password')],
        [
          {
            secretName: 'pull',
            type: 'kubernetes.io/dockerconfigjson',
            data: [{ key: '.dockerconfigjson', objectName: 'login' }],
          },
          opaque('user', { user: 'pull-user' }),
        ],
        vault,
      )
    const template =
      '{"auths":{"registry.example":{"username":{{ secrets["pull-user"] | json }},"password":{{ secrets["pull-password"] | json }}}}}'
    const { poll, vault, values } = await startShop(t, spec, { 'azure.keyvault.injector/template-login': template })
    vault.setSecret('pull-user', 'robot')
    vault.setSecret('pull-password', 'a"b')
    t.match(await poll(), { result: 'success' })
    const login = () => (JSON.parse(values('pull')['.dockerconfigjson'] ?? '{}') as { auths?: object }).auths
    t.strictSame(login(), { 'registry.example': { username: 'robot', password: 'a"b' } })
    vault.setSecret('pull-password', 'c')
    const { writes } = await poll()
    t.strictSame(
      writes.map(({ secret, outcome }) => [secret, outcome]),
      [
        ['pull', 'updated'],
        ['user', 'unchanged'],
      ],
    )
    t.strictSame(login(), { 'registry.example': { username: 'robot', password: 'c' } })
  },
)

void t.test('class sync: what the API server says never repeats a value', async (t) => {
  const { poll, vault, api } = await startShop(t, db)
  vault.setSecret('password', 'canary-value')
  const encoded = Buffer.from('canary-value').toString('base64')
  api.before = (call) => {
    if (call === `PATCH ${secretPath('db')}`)
      throw new ApiError(422, `a webhook says: password canary-value, ${encoded} is weak`)
  }
  const { messages, result } = await poll()
  t.equal(result, 'failed')
  t.match(messages, [{ reason: 'SyncFailed', message: /a webhook says: password \*\*\*, \*\*\* is weak/ }])
})

void t.test('class sync: a Secret that cannot be read or has no Role yet does not hold back the others', async (t) => {
  for (const [status, result, reason] of [
    [403, 'refused', 'RoleMissing'],
    [500, 'failed', 'SyncFailed'],
  ] as const) {
    const { poll, vault, api, values } = await startShop(t, (vault) =>
      specOf([secretObject('x')], [opaque('other', { x: 'x' }), opaque('db', { x: 'x' })], vault),
    )
    vault.setSecret('x', 'one')
    api.before = (call) => {
      if (call.startsWith(`GET ${secretPath('other')}`)) throw new ApiError(status, `${call}: ${status} forbidden`)
    }
    const { messages, ...poll1 } = await poll()
    t.match(poll1, { result, writes: [{ secret: 'db', outcome: 'created' }] })
    t.match(messages, [
      { reason, secret: 'other', message: /^Secret other: / },
      { reason: 'Synced', secret: 'db' },
    ])
    t.strictSame(values('db'), { x: 'one' })
  }
})

void t.test('class sync: without an answer of the API server, the other Secrets are not tried', async (t) => {
  const { poll, vault, api } = await startShop(t, (vault) =>
    specOf([secretObject('x')], [opaque('other', { x: 'x' }), opaque('db', { x: 'x' })], vault),
  )
  vault.setSecret('x', 'one')
  api.before = (call) => {
    if (call.includes('/secrets/')) throw new Error(`${call}: no answer`)
  }
  t.match(await poll(), { result: 'failed', messages: [{ reason: 'SyncFailed', message: /no answer/ }] })
  t.equal(api.calls.filter((call) => call.includes('/secrets/')).length, 1)
})

void t.test('class sync: where an owner may be changed only by who may delete, the message says so', async (t) => {
  const { poll, vault, api } = await startShop(t, db)
  vault.setSecret('password', 'p')
  const said = `secrets "db" is forbidden: cannot set an ownerRef on a resource you can't delete: , <nil>`
  api.before = (call) => {
    if (call === `PATCH ${secretPath('db')}`) throw new ApiError(403, `${call}: 403 ${said}`, said)
  }
  const { messages } = await poll()
  t.match(messages, [
    {
      reason: 'RoleMissing',
      message: /ownerRef .*: apply what akv-injector sync role web --allow-delete prints, or \{/,
    },
  ])
  t.match(messages[0]?.message, '"resourceNames":["db"],"verbs":["get","create","patch","delete"]')
})

void t.test('class sync: a vault that throttles gets no more requests for other Secrets of the class', async (t) => {
  const { poll, vault, hooks, fixture, values } = await startShop(t, (vault) =>
    specOf(
      [secretObject('one'), secretObject('two')],
      [opaque('first', { key: 'one' }), opaque('second', { key: 'two' })],
      vault,
    ),
  )
  vault.setSecret('one', '1')
  vault.setSecret('two', '2')
  let requests = 0
  hooks.onRequest = () => void requests++
  const fault = fixture.emulator.fault({ match: { vault: 'shop-kv' }, fault: { kind: 'status', status: 429 } })
  t.match(await poll(), { result: 'failed', writes: [], messages: [{ reason: 'SyncFailed', message: /429/ }] })
  t.equal(requests, 1)
  fault.remove()
  t.match(await poll(), { result: 'success' })
  t.strictSame([values('first'), values('second')], [{ key: '1' }, { key: '2' }])
})
