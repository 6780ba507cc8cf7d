import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { serveCertificateFiles } from '../certs/files.ts'
import packageJson from '../package.json' with { type: 'json' }
import { createLogger, logLevels } from '../shared/log.ts'
import { parseConfiguration } from './configuration.ts'
import { folderCluster } from './folder-cluster.ts'
import { buildApp } from './server.ts'

/** Endpoints lag behind: so long after readiness fails the API server may still call. */
const drainTime = 15_000

const { env } = process
const need = (name: string): string => {
  const value = env[name]
  if (value === undefined || value === '') throw new Error(`the environment variable ${name} is not set`)
  return value
}

async function main(): Promise<void> {
  const log = createLogger(logLevels.find((level) => level === env['LOG_LEVEL']) ?? 'info')
  const parsed = parseConfiguration(env['CONFIGURATION'] ? readFileSync(env['CONFIGURATION'], 'utf8') : '')
  if (!parsed.ok) throw new Error(`${env['CONFIGURATION']}: ${parsed.problems.join('; ')}`)
  const certificates = serveCertificateFiles({ directory: need('CERTIFICATES_FOLDER'), log })
  const cluster = folderCluster(need('CLUSTER_FOLDER'))
  const app = buildApp({
    tls: certificates.tlsOptions(),
    context: {
      cluster,
      configuration: () => parsed.value,
      image: need('SIDECAR_IMAGE'),
      version: packageJson.version,
      log,
    },
    log,
    notReady: () => cluster.notReady() ?? certificates.readiness().reason,
  })
  certificates.attach(app.server.server as never)
  // Files are there within moments; who reads "listening" may call.
  for (let tries = 0; certificates.notAfter() === undefined && tries < 100; tries++) await sleep(20)
  await app.server.listen({ host: '::', port: Number(env['PORT'] ?? 8443) })
  const address = app.server.server.address()
  log.info({ port: typeof address === 'object' ? address?.port : address }, 'listening')

  process.once('SIGTERM', () => {
    log.info({ seconds: drainTime / 1000 }, 'draining')
    app.drain()
    void sleep(drainTime)
      .then(() => Promise.all([app.server.close(), certificates.close(), cluster.close()]))
      .then(() => process.exit(0))
  })
}

main().catch((error: unknown) => {
  console.error(JSON.stringify({ level: 'fatal', msg: 'the webhook cannot start', reason: (error as Error).message }))
  process.exit(1)
})
