import t from 'tap'
import { eventually } from './support/eventually.ts'
import { kubectl, tryKubectl } from './support/kubectl.ts'
import * as sync from './support/sync.ts'

void t.test(
  'sync: a recreated class and sync-adopt take Secrets over, and with the class its Secret is deleted',
  async (t) => {
    const fixture = await sync.makeSyncFixture(t, { password: 'one' })
    const { namespace, emulator, vault } = fixture
    await kubectl([
      'create',
      'secret',
      'generic',
      'db',
      '-n',
      namespace,
      '--from-literal=password=old',
      '--field-manager=secrets-store-csi',
    ])
    await kubectl([
      'label',
      'secret',
      'db',
      '-n',
      namespace,
      'secrets-store.csi.k8s.io/managed=true',
      '--field-manager=secrets-store-csi',
    ])
    const request = {
      objects: [sync.secretLines('password')],
      secretObjects: [sync.opaque('db', { password: 'password' })],
    }
    const one = await sync.applyClass(t, fixture, request)
    await sync.applyRole(one)
    await sync.eventOn(namespace, 'Conflict', /sync-adopt: csi/)
    const annotations = { 'azure.keyvault.injector/sync-adopt': 'csi' }
    await sync.applyClass(t, fixture, { ...request, annotations })
    const adopted = await sync.secretHas(namespace, 'db', { password: 'one' })
    t.equal(adopted.metadata.labels?.['secrets-store.csi.k8s.io/managed'], undefined)
    await emulator.setSecret(vault, 'password', 'two')
    await sync.secretHas(namespace, 'db', { password: 'two' })

    // As an earlier process leaves it that ends in the middle of the takeover: the owner is in the fields of its claim.
    const [owner] = adopted.metadata.ownerReferences ?? []
    for (const value of [[], [owner]])
      await kubectl([
        ...['patch', 'secret', '-n', namespace, 'db', '--type=json', '--field-manager=akv-injector-sync'],
        `-p=${JSON.stringify([{ op: 'replace', path: '/metadata/ownerReferences', value }])}`,
      ])
    await sync.applyClass(t, fixture, {
      ...request,
      annotations: { ...annotations, 'azure.keyvault.injector/sync-retain': 'true' },
    })
    await eventually(
      'the Secret has no owner',
      async () => (await sync.readSecret(namespace, 'db'))?.metadata.ownerReferences === undefined,
    )
    await sync.applyClass(t, fixture, { ...request, annotations })
    await eventually('and one again', async () => {
      const [again] = (await sync.readSecret(namespace, 'db'))?.metadata.ownerReferences ?? []
      return again?.uid === owner?.uid
    })

    await kubectl(['delete', 'secretproviderclass', '-n', namespace, 'web', '--cascade=orphan'])
    await sync.applyClass(t, fixture, { ...request, annotations: { 'azure.keyvault.injector/sync-retain': 'false' } })
    const recreated = await eventually('the Secret has the new owner', async () => {
      const secret = await sync.readSecret(namespace, 'db')
      const [next] = secret?.metadata.ownerReferences ?? []
      return next !== undefined && next.uid !== owner?.uid && secret
    })
    t.equal(recreated.metadata.uid, adopted.metadata.uid, 'the same Secret')
    await emulator.setSecret(vault, 'password', 'three')
    await sync.secretHas(namespace, 'db', { password: 'three' })
    await kubectl(['delete', 'secretproviderclass', '-n', namespace, 'web'])
    await eventually('it is deleted with its class', async () => (await sync.readSecret(namespace, 'db')) === undefined)
  },
)

void t.test('sync: a class that is deleted with --cascade=orphan leaves its Secret', async (t) => {
  const fixture = await sync.makeSyncFixture(t, { password: 'one' })
  const { namespace, emulator, vault } = fixture
  const request = { objects: [sync.secretLines('password')] }
  for (const [name, secret] of [
    ['going', 'kept'],
    ['staying', 'other'],
  ] as const) {
    const secretObjects = [sync.opaque(secret, { password: 'password' })]
    await sync.applyRole(await sync.applyClass(t, fixture, { ...request, name, secretObjects }))
    await sync.secretHas(namespace, secret, { password: 'one' })
  }
  /** The class stays for as long as somebody else's finalizer is there. */
  const setFinalizers = (...finalizers: string[]) =>
    tryKubectl([
      ...['patch', 'secretproviderclass', '-n', namespace, 'going', '--type=merge'],
      `-p=${JSON.stringify({ metadata: { finalizers } })}`,
    ])
  await setFinalizers('example.com/test')
  t.teardown(() => setFinalizers())
  await kubectl(['delete', 'secretproviderclass', '-n', namespace, 'going', '--cascade=orphan', '--wait=false'])
  const readOwners = async () => (await sync.readSecret(namespace, 'kept'))?.metadata.ownerReferences
  await eventually('the Secret has no owner', async () => (await readOwners()) === undefined)
  for (const password of ['two', 'three']) {
    await emulator.setSecret(vault, 'password', password)
    await sync.secretHas(namespace, 'other', { password })
  }
  t.equal(await readOwners(), undefined, 'and gets none')
  await setFinalizers()
  await eventually('the class is gone', async () => {
    const { stderr } = await tryKubectl(['get', 'secretproviderclass', '-n', namespace, 'going'])
    return stderr.includes('NotFound')
  })
  t.strictSame(sync.valuesOf(await sync.readSecret(namespace, 'kept')), { password: 'one' })
})
