import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundles } from '../demo/bundles.ts'
import { until } from '../demo/steps.ts'
import { listeningPort, type Webhook } from '../demo/webhook.ts'
import { startApiServer } from './api-server.ts'
import type { Workshop } from './workshop.ts'

/** A webhook as it runs in a cluster. */
export interface WebhookInCluster extends Webhook {
  close: () => Promise<void>
}

/** Starts the webhook against an API server that has so many objects, and waits until it knows all of them. */
export async function webhookInCluster(
  { supervisor, cloud, certificate, folder }: Workshop,
  known: { namespaces: number; serviceAccounts: number },
): Promise<WebhookInCluster> {
  const api = await startApiServer(certificate, known)
  const { ca, cert, key, servername = '' } = certificate
  const place = folder()
  const files = { 'ca.crt': ca, 'tls.crt': cert, 'tls.key': key, 'configuration.yaml': cloud.configuration, kubeconfig: kubeconfig(api.url, certificate) } // prettier-ignore
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
  const webhook = supervisor.start('the webhook', process.execPath, [bundles.webhook], { env, cwd: place })
  const close = async () => {
    await webhook.stop(100)
    api.close()
  }
  try {
    const port = await webhook.line('"listening" in its log', listeningPort, 20_000)
    const asked = (path: string) => api.requests.filter((request) => request === path).length
    // All pages of both, and then a watch each.
    const pages = (count: number) => Math.ceil(count / 500) + 1
    const isFull = () =>
      asked('/api/v1/serviceaccounts') >= pages(known.serviceAccounts) &&
      asked('/api/v1/namespaces') >= pages(known.namespaces)
    await until('the caches to be full', 20_000, () => Promise.resolve(isFull() || undefined))
    return { process: webhook, port, ca, servername, close }
  } catch (error) {
    await close()
    throw error
  }
}

const kubeconfig = (server: string, { ca, servername = '' }: Workshop['certificate']): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    clusters: [{ name: 'bench', cluster: { server, 'tls-server-name': servername, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }], // prettier-ignore
    users: [{ name: 'bench', user: { token: 'bench' } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
  })
