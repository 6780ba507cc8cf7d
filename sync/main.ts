import { onTerminate } from '../webhook/early-signals.ts'
import { KubeConfig } from '@kubernetes/client-node'
import packageJson from '../package.json' with { type: 'json' }
import { createKubernetesApi } from '../shared/kubernetes/api.ts'
import { createLogger } from '../shared/log.ts'
import { startFailure } from '../shared/start-failure.ts'
import { readSyncEnvironment } from './environment.ts'
import { runSync } from './run.ts'

async function main(): Promise<void> {
  const environment = readSyncEnvironment(process.env)
  if (!environment.ok) throw new Error(environment.problems.join('; '))
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromDefault()
  const closing = new AbortController()
  onTerminate(() => closing.abort())
  const log = createLogger(environment.value.logLevel)
  await runSync({
    environment: environment.value,
    variables: process.env,
    api: createKubernetesApi(kubeConfig),
    version: packageJson.version,
    ...{ log, abort: closing.signal },
  })
  process.exit(0)
}

main().catch((error: unknown) => {
  console.error(startFailure('sync', error))
  process.exit(1)
})
