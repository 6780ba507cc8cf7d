import { join } from 'node:path'
import t from 'tap'
import { runPage } from '../e2e/support/page.ts'
import { renderer } from '../manifests/rendered.ts'
import { needs } from '../support/needs.ts'

const root = join(import.meta.dirname, '../..')

const deployment = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: web
  namespace: shop
  annotations:
    azure.workload.identity/client-id: 22222222-2222-2222-2222-222222222222
    azure.workload.identity/tenant-id: 11111111-1111-1111-1111-111111111111
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata:
      labels: { app: web, azure.workload.identity/use: 'true' }
      annotations: { azure.keyvault.injector/vault: my-kv, azure.keyvault.injector/objects: db-password }
    spec:
      serviceAccountName: web
      containers: [{ name: web, image: 'web:1.0' }]
`

const withDriver = `apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: { name: web, namespace: shop }
spec:
  provider: azure
  parameters:
    clientID: 22222222-2222-2222-2222-222222222222
    tenantID: 11111111-1111-1111-1111-111111111111
    keyvaultName: my-kv
    objects: |
      array:
        - |
          objectName: db-password
          objectType: secret
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: web:1.0
          volumeMounts: [{ name: secrets, mountPath: /mnt/secrets-store, readOnly: true }]
      volumes:
        - name: secrets
          csi:
            driver: secrets-store.csi.k8s.io
            readOnly: true
            volumeAttributes: { secretProviderClass: web }
`

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
