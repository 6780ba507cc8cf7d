import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundles } from '../demo/bundles.ts'
import { appPod } from '../demo/cluster.ts'
import { until } from '../demo/steps.ts'
import { listeningPort, review } from '../demo/webhook.ts'
import { startApiServer } from './api-server.ts'
import type { Bench } from './bench.ts'
import { bareMemory, memory } from './proc.ts'
import type { Workshop } from './workshop.ts'

const runs = 3
const known = { namespaces: 1000, serviceAccounts: 5000 }
/** Enough for the engine to have compiled what every review needs. */
const reviews = 200

/** What the webhook takes that knows the ServiceAccounts and Namespaces of a large cluster, and has reviewed pods. */
export const webhookMemory: Bench = {
  ids: ['webhook-memory', 'webhook-rss'],
  async run(workshop) {
    const figures: ReturnType<typeof memory>[] = []
    const floor: ReturnType<typeof memory>[] = []
    for (let run = 0; run < runs; run++) {
      figures.push(await inLargeCluster(workshop))
      floor.push(await bareMemory(workshop.supervisor, [process.execPath]))
    }
    return [
      { id: 'webhook-memory', unit: 'MB', samples: figures.map(({ anonymous }) => anonymous), floor: floor.map(({ anonymous }) => anonymous), target: { atMost: 70 } }, // prettier-ignore
      { id: 'webhook-rss', unit: 'MB', samples: figures.map(({ resident }) => resident), floor: floor.map(({ resident }) => resident) }, // prettier-ignore
    ]
  },
}

async function inLargeCluster({
  supervisor,
  cloud,
  certificate,
  folder,
}: Workshop): Promise<ReturnType<typeof memory>> {
  const api = await startApiServer(certificate, known)
  try {
    const place = folder()
    const files = { 'ca.crt': certificate.ca, 'tls.crt': certificate.cert, 'tls.key': certificate.key, 'configuration.yaml': cloud.configuration, kubeconfig: kubeconfig(api.url, certificate) } // prettier-ignore
    for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text, { mode: 0o600 })
    const env = {
      KUBECONFIG: join(place, 'kubeconfig'),
      CERTIFICATES_FOLDER: place,
      CONFIGURATION: join(place, 'configuration.yaml'),
      SIDECAR_IMAGE: 'akv-injector:bench',
      POD_NAMESPACE: 'akv-injector-system',
      SERVICE_NAME: 'akv-injector',
      PORT: '0',
    }
    const webhook = supervisor.start('the webhook', process.execPath, [bundles.webhook], { env, cwd: place })
    const port = await webhook.line('"listening" in its log', listeningPort, 20_000)
    const asked = (path: string) => api.requests.filter((request) => request === path).length
    // All pages of both, and then a watch each.
    const pages = (count: number) => Math.ceil(count / 500) + 1
    await until('the caches to be full', 20_000, () =>
      Promise.resolve(
        asked('/api/v1/serviceaccounts') >= pages(known.serviceAccounts) &&
          asked('/api/v1/namespaces') >= pages(known.namespaces)
          ? true
          : undefined,
      ),
    )
    const { ca, servername = '' } = certificate
    const pod = appPod({ vault: 'bench-kv', objects: 'secret-0, secret-1' }, [])
    for (let count = 0; count < reviews; count++) await review({ process: webhook, port, ca, servername }, pod)
    await sleep(2000)
    const figures = memory(webhook.pid)
    await webhook.stop(100)
    return figures
  } finally {
    api.close()
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
