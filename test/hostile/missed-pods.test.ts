import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { certificateFolder } from '../support/server-certificate.ts'
import { startApiServer, type Collection } from './hostile-api-server.ts'
import { startWebhook } from './webhook-process.ts'
import { webhookManifest } from '../support/deployment-manifest.ts'
import { until } from '../support/until.ts'

// An author of pods can leave any number of them without a sidecar: the audit of missed pods looks at all of them.

t.setTimeout(600_000)
const skip = process.platform === 'linux' ? false : 'memory is read from /proc'
const audits = '/api/v1/pods'

async function startAudited(t: Test, namespaces: Collection, pods: Collection) {
  const none = { count: 0, object: () => [] }
  const api = await startApiServer(t, {
    '/api/v1/namespaces': namespaces,
    '/api/v1/serviceaccounts': none,
    '/api/v1/limitranges': none,
    '/api/v1/nodes': none,
    [audits]: pods,
  })
  const { folder } = certificateFolder(t)
  writeFileSync(join(folder, 'kubeconfig'), api.kubeconfig)
  const webhook = await startWebhook(t, {
    KUBECONFIG: join(folder, 'kubeconfig'),
    CERTIFICATES_FOLDER: folder,
    POD_NAMESPACE: 'akv-injector-system',
    SERVICE_NAMES: 'akv-injector',
    AUDIT_SECONDS: '0.2',
  })
  /** Waits until the metrics have a line. */
  const shows = (line: string) =>
    until(`the metrics have ${line}`, async () => (await webhook.get('/metrics')).body.includes(line), {
      timeoutMs: 120_000,
      intervalMs: 100,
    })
  return { api, webhook, shows }
}

void t.test('missed pods: 300,000 pods without a sidecar in 30,000 namespaces', { skip }, async (t) => {
  const long = 'x'.repeat(50)
  const pod = (index: number) => [
    JSON.stringify({
      metadata: {
        name: `p-${index}-${'y'.repeat(240)}`,
        namespace: `n-${index % 30_000}-${long}`,
        uid: `12345678-1234-4234-8234-${`${index}`.padStart(12, '0')}`,
        annotations: { 'azure.keyvault.injector/objects': 'a' },
      },
    }),
  ]
  const namespace = (index: number) => [JSON.stringify({ metadata: { name: `n-${index}-${long}` } })]
  const { webhook, shows } = await startAudited(
    t,
    { count: 30_000, object: namespace },
    { count: 300_000, object: pod },
  )
  await shows('missed_pods{reason="no-namespace-label"} 200000')
  const peak = webhook.peak()
  t.comment(`${Math.round(peak / 2 ** 20)} MiB of ${webhookManifest.memory / 2 ** 20}`)
  t.ok(peak < webhookManifest.memory, `${peak} bytes are less than the limit, ${webhookManifest.memory}`)
})
