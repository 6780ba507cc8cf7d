import t from 'tap'
import { makeServiceAccount } from './support/apps.ts'
import { kubectl, makeNamespace, tryKubectl } from './support/kubectl.ts'
import * as sync from './support/sync.ts'

const request = (more: Partial<sync.ClassRequest> = {}): sync.ClassRequest => ({
  objects: [sync.secretLines('password')],
  secretObjects: [sync.opaque('db', { password: 'password' })],
  ...more,
})

void t.test('sync rights: a namespace without the Role gets nothing but an Event that has the Role', async (t) => {
  const fixture = await sync.makeSyncFixture(t, { password: 'one' })
  const { namespace, emulator, vault } = fixture
  await sync.applyClass(t, fixture, request())
  const message = await sync.eventOn(namespace, 'RoleMissing', /serviceaccounts/)
  t.equal(await sync.readSecret(namespace, 'db'), undefined)
  t.strictSame(await emulator.counts(vault), {}, 'and the vault is not asked')
  const [role] = /\{.*\}/s.exec(message) ?? []
  await kubectl(['apply', '-f', '-'], role)
  await sync.secretHas(namespace, 'db', { password: 'one' })
})

void t.test(
  'sync rights: a ServiceAccount without a role for the vault gets nothing, and one that loses it keeps its Secret',
  async (t) => {
    const fixture = await sync.makeSyncFixture(t, { password: 'one', user: 'two' })
    const { namespace, emulator, vault } = fixture
    const client = '66666666-6666-4666-8666-666666666666'
    await makeServiceAccount(namespace, 'web-sync', client)
    await emulator.allowOnly(client, vault, 'secrets/user')
    const secretObjects = [sync.opaque('db', { password: 'password' }), sync.opaque('user', { user: 'user' })]
    const objects = [sync.secretLines('password'), sync.secretLines('user')]
    const one = await sync.applyClass(t, fixture, request({ objects, secretObjects }))
    await sync.applyRole(one)
    await sync.secretHas(namespace, 'user', { user: 'two' })
    t.match(await sync.eventOn(namespace, 'SyncFailed', /password/), /403/)
    t.equal(await sync.readSecret(namespace, 'db'), undefined)
    await emulator.allowOnly(client, vault, 'secrets/password', 'secrets/user')
    await sync.secretHas(namespace, 'db', { password: 'one' })
    await emulator.allowOnly(client, vault, 'secrets/user')
    await emulator.setSecret(vault, 'password', 'two')
    await sync.eventOn(namespace, 'SyncFailed', /password.*keep what they have/)
    await sync.secretHas(namespace, 'db', { password: 'one' })
  },
)

const may = async (namespace: string, verb: string, resource: string, ...flags: string[]): Promise<boolean> =>
  (await tryKubectl(['auth', 'can-i', verb, resource, '-n', namespace, sync.asProgram, ...flags])).stdout.trim() ===
  'yes'

void t.test('sync rights: outside of its Roles the program may do nothing with Secrets and tokens', async (t) => {
  const fixture = await sync.makeSyncFixture(t, { password: 'one' })
  const { namespace } = fixture
  const elsewhere = await makeNamespace(t)
  const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection']
  const denied = async (where: string, resource: string, ...flags: string[]): Promise<void> => {
    for (const verb of verbs) t.notOk(await may(where, verb, resource, ...flags), `${verb} ${resource} in ${where}`)
  }
  for (const where of [elsewhere, 'akv-injector-system', 'kube-system', 'default']) await denied(where, 'secrets')
  await denied(elsewhere, 'serviceaccounts', '--subresource=token')
  await denied('akv-injector-system', 'serviceaccounts/akv-injector', '--subresource=token')
  t.notOk(await may(elsewhere, 'get', 'serviceaccounts'))
  t.notOk(await may(elsewhere, '*', '*'))

  await sync.applyRole(await sync.applyClass(t, fixture, request()))
  t.ok(await may(namespace, 'patch', 'secrets/db'), 'this looks at the right thing')
  await denied(namespace, 'secrets/other')
  for (const verb of ['list', 'watch', 'update', 'delete', 'deletecollection'])
    t.notOk(await may(namespace, verb, 'secrets/db'), verb)
  await denied(namespace, 'serviceaccounts/app', '--subresource=token')
})

void t.test(
  'sync rights: with a Role, a token for the API server and a Secret that gives rights cannot be had',
  async (t) => {
    const fixture = await sync.makeSyncFixture(t, { password: 'one' })
    const { namespace } = fixture
    const one = await sync.applyClass(t, fixture, request())
    await sync.applyRole(one)
    await sync.secretHas(namespace, 'db', { password: 'one' })
    const token = (...flags: string[]) =>
      tryKubectl(['create', 'token', 'web-sync', '-n', namespace, sync.asProgram, ...flags])
    const exchange = '--audience=api://AzureADTokenExchange'
    for (const flags of [
      [],
      ['--duration=600s'],
      ['--audience=https://kubernetes.default.svc.cluster.local', '--duration=600s'],
      [exchange, '--audience=https://kubernetes.default.svc.cluster.local', '--duration=600s'],
      [exchange],
      [exchange, '--duration=3600s'],
    ])
      t.match(await token(...flags), { code: 1, stderr: /akv-injector-sync-tokens/ }, flags.join(' '))
    t.match(await token(exchange, '--duration=600s'), { code: 0 }, 'the one that it requests')

    const secret = (await sync.readSecret(namespace, 'db'))!
    const { resourceVersion, labels, annotations, ownerReferences } = secret.metadata
    const send = (more: object, metadata: object = {}) =>
      sync.serverSideApply({
        ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque', data: {} },
        metadata: { name: 'db', namespace, resourceVersion, labels, annotations, ownerReferences, ...metadata },
        ...more,
      })
    const refused = { code: 1, stderr: /akv-injector-sync-secrets/ }
    t.match(await send({}, { labels: {} }), refused, 'without the label')
    t.match(await send({}, { ownerReferences: [] }), refused, 'without an owner')
    const pod = [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'x' }]
    t.match(await send({}, { ownerReferences: pod }), refused, 'with another owner')
    await sync.applyRole(one, { allowDelete: true })
    t.match(
      await tryKubectl(['delete', 'secret', '-n', namespace, 'db', sync.asProgram]),
      { code: 1, stderr: /akv-injector-sync-secrets does not allow deleting/ },
      'delete',
    )
    await kubectl(['delete', 'secretproviderclass', '-n', namespace, 'web', '--cascade=orphan'])
    await kubectl(['delete', 'secret', '-n', namespace, 'db'])
    const tokenOf = { 'kubernetes.io/service-account.name': 'web-sync' }
    for (const type of ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token', 'helm.sh/release.v1'])
      t.match(
        await send({ type }, { resourceVersion: '1', annotations: { ...annotations, ...tokenOf } }),
        refused,
        type,
      )
  },
)
