import t from 'tap'
import { apply, get, kubectl } from './support/kubectl.ts'
import { eventually } from './support/eventually.ts'
import * as sync from './support/sync.ts'

const template = `{"auths":{"registry.example":{"username":{{ secrets["user"] | json }},"password":{{ secrets["password"] | json }}}}}`
const login = (password: string): Record<string, string> => ({
  '.dockerconfigjson': `{"auths":{"registry.example":{"username":"robot","password":"${password}"}}}`,
})

void t.test(
  'sync types: a registry login is written from a template, and with sync-retain outlives its class',
  async (t) => {
    const fixture = await sync.makeSyncFixture(t, { user: 'robot', password: 'one' })
    const { namespace, emulator, vault } = fixture
    const one = await sync.applyClass(t, fixture, {
      objects: [sync.secretLines('user'), sync.secretLines('password')],
      annotations: {
        'azure.keyvault.injector/template-login': template,
        'azure.keyvault.injector/sync-retain': 'true',
      },
      secretObjects: [
        {
          ...{ secretName: 'registry', type: 'kubernetes.io/dockerconfigjson' },
          data: [{ key: '.dockerconfigjson', objectName: 'login' }],
        },
      ],
    })
    await sync.applyRole(one)
    const { type, metadata } = await sync.secretHas(namespace, 'registry', login('one'))
    t.equal(type, 'kubernetes.io/dockerconfigjson')
    t.equal(metadata.ownerReferences, undefined)
    await emulator.setSecret(vault, 'password', 'two')
    await sync.secretHas(namespace, 'registry', login('two'))

    // When this is deleted, the garbage collector has seen that the class is gone.
    const { uid } = (await get(namespace, 'secretproviderclass', 'web')).metadata
    const owner = { apiVersion: 'secrets-store.csi.x-k8s.io/v1', kind: 'SecretProviderClass', name: 'web', uid }
    await apply({
      ...{ apiVersion: 'v1', kind: 'ConfigMap' },
      metadata: { name: 'owned', namespace, ownerReferences: [owner] },
    })
    await kubectl(['delete', 'secretproviderclass', '-n', namespace, 'web'])
    await eventually(
      'what the class owns is deleted',
      async () => !(await kubectl(['get', 'configmaps', '-n', namespace, '-o', 'name'])).includes('configmap/owned'),
    )
    await sync.secretHas(namespace, 'registry', login('two'))
  },
)
