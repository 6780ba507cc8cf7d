import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Supervisor } from '../demo/processes.ts'
import { freePort } from '../support/free-port.ts'
import { until } from '../support/until.ts'
import type { Matrix } from './panels.ts'

/** What is scraped: its address, its labels, and the authority of its certificate if it has one. */
export interface ScrapeTarget {
  address: string
  labels: Readonly<Record<string, string>>
  tls?: { ca: string; servername: string }
}

/** A Prometheus on the loopback address. */
export interface Prometheus {
  /** Evaluates an expression from then till then, in seconds since 1970. @throws with the server's message */
  range(expression: string, from: number, to: number, step: number): Promise<Matrix[]>
}

/** Starts the machine's Prometheus, which scrapes every second. @param folder an empty folder for its data */
export async function startPrometheus(
  supervisor: Supervisor,
  folder: string,
  targets: readonly ScrapeTarget[],
): Promise<Prometheus> {
  const port = await freePort()
  for (const [index, { tls }] of targets.entries()) if (tls) writeFileSync(join(folder, caFile(index)), tls.ca)
  writeFileSync(join(folder, 'prometheus.yaml'), stringify(configuration(targets)))
  const flags = ['--config.file=prometheus.yaml', '--storage.tsdb.path=data', `--web.listen-address=127.0.0.1:${port}`]
  const server = supervisor.start('Prometheus', 'prometheus', flags, { env: {}, cwd: folder })
  server.deafen()
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  await until('Prometheus is ready', async () => (await ask('/-/ready').catch(() => undefined))?.ok)
  return {
    async range(expression, from, to, step) {
      const query = new URLSearchParams({ query: expression, start: `${from}`, end: `${to}`, step: `${step}` })
      const answer = (await (await ask(`/api/v1/query_range?${query.toString()}`)).json()) as {
        data?: { result: Matrix[] }
        error?: string
      }
      if (!answer.data) throw new Error(`${expression}: ${answer.error}`)
      return answer.data.result
    },
  }
}

const caFile = (index: number): string => `target-${index}.crt`

const configuration = (targets: readonly ScrapeTarget[]) => ({
  global: { scrape_interval: '1s', scrape_timeout: '1s' },
  scrape_configs: targets.map(({ address, labels, tls }, index) => ({
    job_name: `target-${index}`,
    scheme: tls ? 'https' : 'http',
    ...(tls && { tls_config: { ca_file: caFile(index), server_name: tls.servername } }),
    static_configs: [{ targets: [address], labels }],
  })),
})
