import { onTerminate } from './first-of-all.ts'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { destination } from 'pino'
import { serveCertificateFiles } from '../certs/files.ts'
import type { Certificates } from '../certs/manager.ts'
import type { Lifetimes } from '../certs/rotation.ts'
import packageJson from '../package.json' with { type: 'json' }
import { createLogger, logLevels, type Logger } from '../shared/log.ts'
import { watchConfiguration, type ConfigurationFile } from './configuration-file.ts'
import { parseConfiguration } from './configuration.ts'
import type { Cluster } from './cluster/cluster.ts'
import type { Events } from './events.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { entryPath } from './paths.ts'
import { buildApp } from './server.ts'

const { env } = process
const { version } = packageJson

function need(name: string): string {
  const value = env[name]
  if (value === undefined || value === '') throw new Error(`the environment variable ${name} is not set`)
  return value
}

/** Milliseconds, from a number of seconds that the environment may say. */
function seconds(name: string): number | undefined {
  const text = env[name] ?? ''
  if (text === '') return undefined
  if (!/^\d+(\.\d+)?$/.test(text))
    throw new Error(`the environment variable ${name} is not a number of seconds: ${text}`)
  return 1000 * Number(text)
}

function serviceList(variable: string): [string, ...string[]] {
  const said = need(variable).split(',').map((name) => name.trim()).filter((name) => name !== '') // prettier-ignore
  const [first, ...others] = new Set(said)
  if (first === undefined) throw new Error(`the environment variable ${variable} names no Service`)
  return [first, ...others]
}

/** How long authorities and certificates live, and how long an authority is published before it issues, as far as it is said. */
function lifetimes(): Partial<Lifetimes> {
  const said = {
    authority: seconds('CERTIFICATE_AUTHORITY_SECONDS'),
    leaf: seconds('CERTIFICATE_SECONDS'),
    settle: seconds('CERTIFICATE_SETTLE_SECONDS'),
  }
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
}

/** The API server, unless a folder stands for it. The client loads only where it is used: it is large. */
async function connect() {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromDefault()
  const { kubernetesApi } = await import('./cluster/api.ts')
  return { api: kubernetesApi(kubeConfig) }
}
type Connection = Awaited<ReturnType<typeof connect>>

async function startCluster(connection: Connection | undefined, { limited }: Metrics, log: Logger): Promise<Cluster> {
  if (connection === undefined) {
    const { folderCluster } = await import('./cluster/folder.ts')
    return folderCluster(need('CLUSTER_FOLDER'))
  }
  const { kubernetesCluster } = await import('./cluster/kubernetes.ts')
  return kubernetesCluster({ api: connection.api, log, onLimited: limited })
}

async function startServing(connection: Connection | undefined, metrics: Metrics, log: Logger): Promise<Certificates> {
  const onEvent = metrics.certificateEvent
  const directory = env['CERTIFICATES_FOLDER']
  if (connection === undefined) return serveCertificateFiles({ directory: need('CERTIFICATES_FOLDER'), log, onEvent })
  const { api } = connection
  const namespace = need('POD_NAMESPACE')
  const services = { names: serviceList('SERVICE_NAMES'), namespace }
  const names = (variable: string): string[] => (env[variable] ? [env[variable]] : [])
  const mutating = names('MUTATING_CONFIGURATION')
  const validating = names('VALIDATING_CONFIGURATION')
  const where = { api, services, mutating, validating, pathOf: entryPath, log }
  if (directory) {
    const { kubernetesBundles } = await import('../certs/bundles.ts')
    return serveCertificateFiles({ directory, bundles: kubernetesBundles(where), log, onEvent })
  }
  const [{ startCertificates }, { kubernetesCertificates }] = await Promise.all([
    import('../certs/manager.ts'),
    import('../certs/store.ts'),
  ])
  const cluster = kubernetesCertificates({ ...where, secretName: need('CERTIFICATES') })
  return startCertificates({ cluster, services, lifetimes: lifetimes(), log, onEvent })
}

async function startAudits(
  { api }: Connection,
  { missed }: Metrics,
  configuration: ConfigurationFile,
  log: Logger,
): Promise<{ close: () => Promise<void> }> {
  const { startAudit } = await import('./audit.ts')
  const instance = env['POD_NAME'] ?? 'akv-injector'
  const paused = (): boolean => configuration.current().report
  // Between two looks.
  const interval = seconds('AUDIT_SECONDS') ?? 600_000
  return startAudit({ api, instance, log, counted: missed, paused, interval })
}

async function startEvents({ api }: Connection, log: Logger): Promise<Events> {
  const { sendEvents } = await import('./events.ts')
  return sendEvents({ api, instance: env['POD_NAME'] ?? 'akv-injector', log })
}

/** The file that `CONFIGURATION` names; without one the defaults hold. */
async function readConfiguration(metrics: Metrics, log: Logger): Promise<ConfigurationFile> {
  const file = env['CONFIGURATION']
  if (file) return watchConfiguration({ file, log, onRead: metrics.configurationRead })
  const parsed = parseConfiguration('')
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  return { current: () => parsed.value, problem: () => undefined, close: async () => {} }
}

/** What sidecars run where the administrator's file does not say it: `SIDECAR_IMAGE`, or the image of this pod. */
async function sidecarImage(connection: Connection | undefined): Promise<string> {
  if (env['SIDECAR_IMAGE'] || connection === undefined) return need('SIDECAR_IMAGE')
  const { readOwnImage } = await import('./cluster/own-pod.ts')
  return readOwnImage(connection.api, need('POD_NAMESPACE'), need('POD_NAME'), AbortSignal.timeout(10_000))
}

const portOf = (address: string | AddressInfo | undefined): number | undefined =>
  typeof address === 'object' ? address.port : undefined

/** Bytes of log lines that wait for standard output to take them; later ones are dropped. */
const mostLines = 4 * 1024 * 1024

async function main(): Promise<void> {
  // A line per review: written together, a tenth of a second later at most.
  const lines = destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 100, maxLength: mostLines })
  process.once('exit', () => lines.flushSync())
  const log = createLogger(logLevels.find((level) => level === env['LOG_LEVEL']) ?? 'info', lines)
  // Endpoints lag behind: so long after readiness fails the API server may still call.
  const drainTime = seconds('DRAIN_SECONDS') ?? 15_000
  let certificates: Certificates | undefined = undefined
  let events: Events | undefined = undefined
  const metrics = createMetrics({
    version,
    certificates: () => certificates,
    eventsDropped: () => events?.dropped() ?? 0,
  })
  lines.on('drop', () => metrics.limited('log'))
  const configuration = await readConfiguration(metrics, log)
  const connection = env['CLUSTER_FOLDER'] ? undefined : await connect()
  const image = await sidecarImage(connection)
  const cluster = await startCluster(connection, metrics, log)
  const told: Events | undefined = (events = connection && (await startEvents(connection, log)))
  const audit = connection && (await startAudits(connection, metrics, configuration, log))
  const serving: Certificates = (certificates = await startServing(connection, metrics, log))
  const { server, drain } = buildApp({
    tls: serving.tlsOptions(),
    context: {
      cluster,
      configuration: () => configuration.current(),
      image,
      version,
      log,
      decided(decided) {
        metrics.reviewed(decided)
        told?.add(decided)
      },
    },
    log,
    readiness: () => ({
      reason: cluster.notReady() ?? serving.readiness().reason,
      detail: configuration.problem() && `the configuration is refused: ${configuration.problem()}`,
    }),
    strangers: { segments: serving.segments, refused: metrics.refused },
    metrics: () => metrics.text(),
    onLimited: metrics.limited,
  })
  serving.attach(server.server as never)
  // Files are there within moments; who reads "listening" may call.
  for (let tries = 0; connection === undefined && serving.notAfter() === undefined && tries < 100; tries++)
    await sleep(20)
  await server.listen({ host: env['HOST'] ?? '::', port: Number(env['PORT'] ?? 8443) })
  log.info({ port: portOf(server.addresses()[0]), version, image }, 'listening')

  onTerminate(() => {
    log.info({ seconds: drainTime / 1000 }, 'draining')
    drain()
    void sleep(drainTime)
      .then(() =>
        Promise.all([
          server.close(),
          configuration.close(),
          serving.close(),
          cluster.close(),
          told?.close(),
          audit?.close(),
        ]),
      )
      .then(() => process.exit(0))
  })
}

main().catch((error: unknown) => {
  console.error(JSON.stringify({ level: 'fatal', msg: 'the webhook cannot start', reason: (error as Error).message }))
  process.exit(1)
})
