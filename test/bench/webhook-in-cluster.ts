import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pageSize } from '../../shared/kubernetes/pages.ts'
import { bundles } from '../demo/bundles.ts'
import { listeningPort, type Webhook } from '../demo/webhook.ts'
import { startApiServer } from './api-server.ts'
import type { BenchContext } from './bench-context.ts'
import { until } from '../support/until.ts'
import { webhookManifest } from '../support/deployment-manifest.ts'

/** A webhook as it runs in a cluster. */
export interface WebhookInCluster extends Webhook {
  close: () => Promise<void>
}

/** Starts the webhook with the manifest's flags against an API server with a number of objects, and waits until it knows all of them. */
export async function webhookInCluster(
  { supervisor, cloud, certificate, folder }: BenchContext,
  known: { namespaces: number; serviceAccounts: number },
): Promise<WebhookInCluster> {
  const api = await startApiServer(certificate, known)
  const { ca, cert, key, servername = '' } = certificate
  const place = folder()
  const files = {
    'ca.crt': ca,
    'tls.crt': cert,
    'tls.key': key,
    'configuration.yaml': cloud.configuration,
    kubeconfig: kubeconfig(api.url, certificate),
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text, { mode: 0o600 })
  const env = {
    KUBECONFIG: join(place, 'kubeconfig'),
    CERTIFICATES_FOLDER: place,
    CONFIGURATION: join(place, 'configuration.yaml'),
    SIDECAR_IMAGE: 'akv-injector:bench',
    POD_NAMESPACE: 'akv-injector-system',
    SERVICE_NAMES: 'akv-injector',
    PORT: '0',
  }
  const { flags, allocator } = webhookManifest
  const options = { env: { ...allocator, ...env }, cwd: place }
  const webhook = supervisor.start('the webhook', process.execPath, [...flags, bundles.webhook], options)
  const close = async () => {
    await webhook.stop(100)
    api.close()
  }
  try {
    const port = await webhook.line('"listening" in its log', listeningPort, 20_000)
    const asked = (path: string) => api.requests.filter((request) => request === path).length
    // All pages of both, and then one watch each.
    const pages = (count: number) => Math.ceil(count / pageSize) + 1
    const isFull = () =>
      asked('/api/v1/serviceaccounts') >= pages(known.serviceAccounts) &&
      asked('/api/v1/namespaces') >= pages(known.namespaces)
    await until('the caches are full', isFull)
    return { process: webhook, port, ca, servername, close }
  } catch (error) {
    await close()
    throw error
  }
}

const kubeconfig = (server: string, { ca, servername = '' }: BenchContext['certificate']): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    clusters: [
      {
        name: 'bench',
        cluster: {
          server,
          'tls-server-name': servername,
          'certificate-authority-data': Buffer.from(ca).toString('base64'),
        },
      },
    ],
    users: [{ name: 'bench', user: { token: 'bench' } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
  })
