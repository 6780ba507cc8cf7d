/**
 * `node test/dashboard/main.ts`: draws docs/images/dashboard.svg from real data. Webhook, coordinator, sidecars and the emulator run as
 * processes of this machine for five minutes, with rotations, denials, a vault that throttles, and turns, of which one fails; the machine's
 * Prometheus scrapes them and evaluates each panel of manifests/monitoring/dashboard.json. Needs `prometheus` on the PATH.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withBenchContext, type BenchContext } from '../bench/bench-context.ts'
import { root } from '../demo/bundles.ts'
import { appPod } from '../demo/cluster.ts'
import { review } from '../demo/webhook.ts'
import { startTurningPods, type TurningPods } from './turning-pods.ts'
import { drawPanels, seriesOf, type Panel } from './panels.ts'
import { scrapedSidecar } from './scraped-sidecar.ts'
import { startPrometheus, type ScrapeTarget } from './prometheus.ts'

const minute = 60_000
const duration = 5 * minute
/** Seconds: of Grafana's `$__rate_interval`, and between two points of a chart. */
const [rateInterval, step] = [20, 5]
const vaults = ['shop-kv', 'billing-kv']

async function startSidecar(context: BenchContext, vault: string, notifyUrl: string): Promise<ScrapeTarget> {
  const annotations = { vault, objects: 'db-password, api-key', 'poll-interval': '2s', 'notify-url': notifyUrl }
  return scrapedSidecar(context, context.webhook, annotations, `${vault.slice(0, -3)}-0`)
}

/** Reviews, every seventh of them denied, until it is aborted. */
async function reviewPods({ webhook }: BenchContext, signal: AbortSignal): Promise<void> {
  for (let count = 0; !signal.aborted; count++) {
    const vault = count % 7 === 0 ? 'no vault' : 'shop-kv'
    await review(webhook, appPod({ vault, objects: 'db-password' }, [])).catch(() => undefined)
    await sleep(200)
  }
}

/** What happens to the vaults and to the pods that take turns, by the minute. */
async function live({ cloud }: BenchContext, turning: TurningPods): Promise<void> {
  const change = (name: string) => {
    const expires = Math.floor(Date.now() / 1000) + 7 * 24 * 3600
    for (const vault of vaults)
      cloud.emulator.vault(vault).setSecret(name, `value of ${Date.now()}`, { attributes: { exp: expires } })
  }
  await sleep(minute)
  change('db-password')
  await sleep(minute)
  const throttled = cloud.emulator.fault({ match: { vault: 'billing-kv' }, fault: { kind: 'throttle' } })
  await sleep(minute)
  throttled.remove()
  turning.break()
  change('api-key')
  await sleep(minute)
  turning.mend()
}

async function draw(context: BenchContext): Promise<string> {
  for (const vault of vaults)
    for (const name of ['db-password', 'api-key'])
      context.cloud.emulator.vault(vault).setSecret(name, `value of ${name}`)
  const app = createServer((_, response) => response.end()).listen(0, '127.0.0.1')
  await once(app, 'listening')
  const notifyUrl = `http://127.0.0.1:${(app.address() as AddressInfo).port}/reload`
  const { port, ca, servername } = context.webhook
  const targets: ScrapeTarget[] = [
    {
      address: `127.0.0.1:${port}`,
      labels: { namespace: 'akv-injector-system', pod: 'akv-injector-0' },
      tls: { ca, servername },
    },
  ]
  for (const vault of vaults) targets.push(await startSidecar(context, vault, notifyUrl))
  const turning = await startTurningPods(context, 'shop-kv')
  targets.push(...turning.targets)
  const prometheus = await startPrometheus(context.supervisor, context.folder(), targets)
  const stop = new AbortController()
  const reviews = reviewPods(context, stop.signal)
  const from = Date.now() / 1000
  await Promise.all([live(context, turning), sleep(duration)])
  stop.abort()
  await reviews
  app.close()
  turning.end()

  const { panels } = JSON.parse(readFileSync(join(root, 'manifests/monitoring/dashboard.json'), 'utf8')) as {
    panels: Panel[]
  }
  const drawn = panels.map(async (panel) => {
    const series = panel.targets.map(async ({ expr, legendFormat = '' }) => {
      const expression = expr.replaceAll('$__rate_interval', `${rateInterval}s`)
      return seriesOf(legendFormat, await prometheus.range(expression, from, from + duration / 1000, step), from)
    })
    return { panel, series: (await Promise.all(series)).flat() }
  })
  return drawPanels(await Promise.all(drawn))
}

const options = { signal: AbortSignal.timeout(3 * duration), output: join(root, 'docs/images') }
await withBenchContext(options, async (context) => {
  writeFileSync(join(root, 'docs/images/dashboard.svg'), await draw(context))
})
process.exit()
