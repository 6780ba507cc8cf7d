import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parse, stringify } from 'yaml'
import type { BenchContext } from '../bench/bench-context.ts'
import { bundles } from '../demo/bundles.ts'
import { startWebhook } from '../demo/webhook.ts'
import { coordinatorProcess } from '../support/coordinator-process.ts'
import { freePort } from '../support/free-port.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import type { ScrapeTarget } from './prometheus.ts'
import { scrapedSidecar } from './scraped-sidecar.ts'

const replicas = ['web-0', 'web-1', 'web-2']
const turns = { 'max-unavailable': '1', 'min-ready': '5s', 'turn-timeout': '20s' }

/** A coordinator, and replicas of a workload that take turns. */
export interface TurningPods {
  targets: readonly ScrapeTarget[]
  /** From now on, an app that reloads is not ready. */
  break: () => void
  /** From now on, all apps are ready. */
  mend: () => void
  end: () => void
}

/** Starts a coordinator, and replicas of a workload that have a session with it. */
export async function startTurningPods(context: BenchContext, vault: string): Promise<TurningPods> {
  const ends: (() => unknown)[] = []
  const lifetime = { teardown: (end: () => unknown) => void ends.push(end) }
  const { cloud, supervisor } = context
  const certificate = certificateFolder(lifetime)
  const port = await freePort()
  const durations = { watchInterval: '2s', heartbeat: '2s', coverageAge: '10s', turnGrace: '1s' }
  const { start } = await coordinatorProcess(lifetime, { ...cloud, port, vaults: [vault], durations }, certificate)
  await start()

  let isBroken = false
  const down = new Set<string>()
  const app = createServer(({ url = '' }, response) => {
    const [, name = '', what] = url.split('/')
    if (what === 'reload' && isBroken) down.add(name)
    response.writeHead(what === 'ready' && down.has(name) ? 503 : 200).end()
  }).listen(0, '127.0.0.1')
  await once(app, 'listening')
  ends.push(() => app.close())
  const url = `http://127.0.0.1:${(app.address() as AddressInfo).port}`

  const coordinator = {
    url: `https://localhost:${port}`,
    caCertificates: certificate.cert,
    vaults: [{ namespaces: ['*'], vaults: [vault] }],
    ...durations,
    reconnect: '1s',
  }
  const configuration = stringify({ ...(parse(cloud.configuration) as object), coordinator })
  const webhook = await startWebhook({ supervisor, script: bundles.webhook, folder: context.folder(), configuration })
  const annotationsOf = (name: string) => ({
    ...{ vault, objects: 'db-password, api-key', 'poll-interval': '20s', ...turns },
    ...{ 'notify-url': `${url}/${name}/reload`, 'ready-url': `${url}/${name}/ready` },
  })
  const targets: ScrapeTarget[] = [
    {
      address: `localhost:${port}`,
      labels: { namespace: 'akv-injector-system', pod: 'akv-injector-coordinator-0' },
      tls: { ca: certificate.cert, servername: 'localhost' },
    },
  ]
  for (const name of replicas) targets.push(await scrapedSidecar(context, webhook, annotationsOf(name), name))
  return {
    targets,
    break: () => {
      isBroken = true
    },
    mend: () => {
      isBroken = false
      down.clear()
    },
    end: () => {
      for (const end of ends.toReversed()) end()
    },
  }
}
