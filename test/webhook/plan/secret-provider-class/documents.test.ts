import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { chain, clientOfClass, file, filesOf, leaf, root, settingsOf, tenantOfClass, told } from './fixture.ts'

void t.test('SecretProviderClass: whole documents from manifests are read', async (t) => {
  const document = parse(`
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  name: web
spec:
  provider: azure
  parameters:
    usePodIdentity: "false"
    clientID: ${clientOfClass}   # of the user-assigned identity
    keyvaultName: my-kv
    cloudName: ""                # the public one
    objects:  |
      array:
        - |
          objectName: db-password
          objectType: secret     # secret, key or cert
          objectVersion: ""      # the newest
        - |
          objectName: rotated
          objectType: secret
          objectVersionHistory: 3
          objectAlias: rotated
    tenantId: ${tenantOfClass}
`) as { spec: unknown }
  const settings = settingsOf({ web: document })
  t.strictSame(await filesOf(settings), {
    'db-password': file('pässword\n'),
    'rotated/0': file('three'),
    'rotated/1': file('two'),
    'rotated/2': file('one'),
  })
  t.strictSame(settings.identities, [{ cloud: 'AzurePublicCloud', tenantId: tenantOfClass, clientId: clientOfClass }])
})

void t.test('SecretProviderClass: the documents of the migration guide are read', async (t) => {
  const blocks = Array.from(
    readFileSync('docs/migrating-from-csi.md', 'utf8').matchAll(/```yaml\n(.*?)```/gs),
    ([, yaml = '']) => yaml,
  )
  const [before = '', after = '', shorter = ''] = blocks
  const [oldClass, oldApp] = before
    .split('---\n')
    .map((text) => parse(text) as { spec: { template: { spec: object } } })
  const { template } = (parse(after) as { spec: { template: { metadata: { annotations: object }; spec: object } } })
    .spec
  const containers = (spec: object) => (spec as { containers: { name: string; image: string }[] }).containers
  t.strictSame(
    containers(template.spec).map(({ name, image }) => [name, image]),
    containers(oldApp?.spec.template.spec ?? {}).map(({ name, image }) => [name, image]),
    'the app is the same',
  )
  const classes = { 'web-secrets': { spec: oldClass?.spec } }
  t.strictSame(told(classes, template), { problems: [], warnings: [] })
  const settings = settingsOf(classes, template)
  const files = { 'db-password': file('pässword\n'), 'tls/web.pem': file(chain.key + leaf + root) }
  t.strictSame(await filesOf(settings), files)
  t.equal(settings.mountPath, '/mnt/secrets-store')
  const annotations = parse(shorter) as Record<string, string>
  const alike = settingsOf({}, { ...template, metadata: { ...template.metadata, annotations } })
  t.strictSame(await filesOf(alike), files, 'and so say the annotations')
})
