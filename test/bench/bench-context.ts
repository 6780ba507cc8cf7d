import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundles, ensureBundles } from '../demo/bundles.ts'
import { startCloud, type Cloud } from '../demo/cloud.ts'
import { Supervisor } from '../demo/processes.ts'
import { makeCertificate, startWebhook, type Webhook } from '../demo/webhook.ts'

/** Everything that the benches share: bundles, an emulated cloud, and a webhook that uses it. */
export interface BenchContext {
  /** Aborts if the run ends early. */
  signal: AbortSignal
  supervisor: Supervisor
  cloud: Cloud
  webhook: Webhook
  certificate: Awaited<ReturnType<typeof makeCertificate>>
  /** Creates an empty folder. */
  folder: () => string
  /** Writes a chart (see chart.ts) as `<name>.svg` next to the results. */
  draw: (name: string, svg: string) => void
  /** The folder of a webhook to compare with (see peers/folder.ts). */
  peers?: string | undefined
}

/** Opens the context, and closes all of it whatever happens in `use`. @param output an existing folder for charts */
export async function withBenchContext(
  { signal, output, peers }: { signal: AbortSignal; output: string; peers?: string | undefined },
  use: (context: BenchContext) => Promise<void>,
): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), 'akv-injector-bench-'))
  const supervisor = new Supervisor()
  const ended = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => ended.reject(signal.reason as Error))
  process.on('exit', () => supervisor.killNow())
  let cloud: Cloud | undefined
  const work = async () => {
    await ensureBundles(signal)
    cloud = await startCloud()
    const webhook = await startWebhook({
      supervisor,
      script: bundles.webhook,
      folder: join(base, 'webhook'),
      configuration: cloud.configuration,
    })
    let folders = 0
    const folder = () => {
      const path = join(base, `run-${++folders}`)
      mkdirSync(path)
      return path
    }
    const draw = (name: string, svg: string) => writeFileSync(join(output, `${name}.svg`), svg)
    await use({ signal, supervisor, cloud, webhook, certificate: await makeCertificate(), folder, draw, peers })
  }
  try {
    await Promise.race([ended.promise, work()])
  } finally {
    await supervisor.stopAll(100)
    await cloud?.emulator.close()
    rmSync(base, { recursive: true, force: true })
  }
}
