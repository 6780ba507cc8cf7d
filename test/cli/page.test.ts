import { join } from 'node:path'
import t from 'tap'
import { annotate } from '../e2e/support/apps.ts'
import { toYaml } from '../e2e/support/kubectl.ts'
import { runPage } from '../e2e/support/page.ts'
import { secretProviderClass } from '../e2e/support/secret-provider-class.ts'
import { renderer } from '../manifests/rendered.ts'
import { needs } from '../support/needs.ts'

const root = join(import.meta.dirname, '../..')

/** The Deployment `web`: what its pod template's metadata has beside labels, and what its spec has beside a container. */
const deploymentOf = (metadata: object, spec: object, container: object = {}): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web', 'azure.workload.identity/use': 'true' }, ...metadata },
      spec: { ...spec, containers: [{ name: 'web', image: 'web:1.0', ...container }] },
    },
  },
})
const client = '22222222-2222-2222-2222-222222222222'
const tenant = '11111111-1111-1111-1111-111111111111'

const deployment = toYaml([
  {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: {
      ...{ name: 'web', namespace: 'shop' },
      annotations: { 'azure.workload.identity/client-id': client, 'azure.workload.identity/tenant-id': tenant },
    },
  },
  deploymentOf({ annotations: annotate({ vault: 'my-kv', objects: 'db-password' }) }, { serviceAccountName: 'web' }),
])

const parameters = { clientID: client, tenantID: tenant, keyvaultName: 'my-kv' }
const withDriver = toYaml([
  secretProviderClass('shop', 'web', parameters, [['objectName: db-password', 'objectType: secret']]),
  deploymentOf(
    {},
    {
      volumes: [
        {
          name: 'secrets',
          csi: {
            ...{ driver: 'secrets-store.csi.k8s.io', readOnly: true },
            volumeAttributes: { secretProviderClass: 'web' },
          },
        },
      ],
    },
    { volumeMounts: [{ name: 'secrets', mountPath: '/mnt/secrets-store', readOnly: true }] },
  ),
])

void t.test(
  'command line: the commands of its page work on manifests',
  needs('kubectl', renderer?.[0] === 'kubectl'),
  async (t) => {
    const { code, stdout, steps } = await runPage(join(root, 'docs/command-line.md'), undefined, {
      'deployment.yaml': deployment,
      'driver.yaml': withDriver,
      'kustomization.yaml': 'resources: [driver.yaml]\n',
      'akv-injector': `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'cli/main.ts')}" "$@"\n`,
    })
    t.equal(code, 0, stdout)
    const outputs = steps.map(({ command, output }) => [command.split('\n')[0], output] as const)
    t.match(outputs, [
      ['akv-injector inject -f deployment.yaml', /Deployment shop\/web: injected \(mode native, 1 object\)/],
      ['kubectl kustomize . | akv-injector migrate -f - > migrated.yaml', /Deployment shop\/web: migrated/],
      ['kubectl kustomize . | akv-injector scan -f -', /^\s*$/],
      ['akv-injector explain vault-not-allowed', /does not allow the namespace to use the vault/],
    ])
  },
)
