import { onTerminate } from './early-signals.ts'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { destination } from 'pino'
import { firstRead, startCertificateFiles } from '../certs/mounted.ts'
import type { Certificates } from '../certs/self-managed.ts'
import packageJson from '../package.json' with { type: 'json' }
import { realClock } from '../shared/clock.ts'
import type { Api } from '../shared/kubernetes/api.ts'
import { createLogger, type Logger } from '../shared/log.ts'
import { startFailure } from '../shared/start-failure.ts'
import { watchConfiguration, type ConfigurationFile } from './configuration/file.ts'
import { parseConfiguration } from './configuration/configuration.ts'
import type { Cluster } from './cluster/cluster.ts'
import { readEnvironment, type Environment, type KubernetesPlatform } from './environment.ts'
import type { Events } from './report/events.ts'
import { createMetrics, type Metrics } from './report/metrics.ts'
import { entryPath } from './request/entry-paths.ts'
import { collectAll, createIdleMemory } from './idle-memory.ts'
import { createApp } from './server.ts'

const { version } = packageJson

/** What the webhook gets from its surroundings: a cluster and a certificate, and from a Kubernetes cluster Events and an audit. */
interface Platform {
  image: string
  cluster: Cluster
  certificates: Certificates
  events?: Events
  audit?: { close: () => Promise<void> }
}

interface Wiring {
  environment: Environment
  metrics: Metrics
  configuration: ConfigurationFile
  log: Logger
}

const startPlatform = async (wiring: Wiring): Promise<Platform> => {
  const { platform, sidecarImage: image = '' } = wiring.environment
  if (platform.kind === 'kubernetes') return startKubernetes(platform, wiring)
  const { createFolderCluster } = await import('./cluster/directory.ts')
  const { log, metrics } = wiring
  const directory = platform.certificatesFolder
  const certificates = startCertificateFiles({ directory, log, onEvent: metrics.certificateEvent })
  await firstRead(certificates)
  return { image, cluster: createFolderCluster(platform.clusterFolder), certificates }
}

async function startKubernetes(platform: KubernetesPlatform, wiring: Wiring): Promise<Platform> {
  const { environment, log, metrics } = wiring
  const { pod } = platform
  const instance = pod.name ?? 'akv-injector'
  const api = await connect()
  const image = environment.sidecarImage ?? (await ownImage(api, pod))
  const { createKubernetesCluster } = await import('./cluster/kubernetes.ts')
  const cluster = createKubernetesCluster({ api, log, onLimited: metrics.limited })
  const { startEvents } = await import('./report/events.ts')
  const events = startEvents({ api, instance, log })
  const audit = await startAudits(api, instance, platform, wiring)
  return { image, cluster, certificates: await startCertificates(api, platform, wiring), events, audit }
}

/** Loads the Kubernetes client only if it is used, because it is large. */
async function connect(): Promise<Api> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromDefault()
  const { createKubernetesApi } = await import('../shared/kubernetes/api.ts')
  return createKubernetesApi(kubeConfig)
}

async function ownImage(api: Api, { namespace, name = '' }: KubernetesPlatform['pod']): Promise<string> {
  const { readOwnImage } = await import('./cluster/own-pod.ts')
  return readOwnImage(api, namespace, name, AbortSignal.timeout(10_000))
}

async function startAudits(
  api: Api,
  instance: string,
  { auditInterval: interval }: KubernetesPlatform,
  { metrics, configuration, log }: Wiring,
): Promise<{ close: () => Promise<void> }> {
  const { startAudit } = await import('./report/missed-pods.ts')
  const paused = (): boolean => configuration.current().report
  return startAudit({
    api,
    instance,
    log,
    counted: metrics.missed,
    onLimited: metrics.limited,
    paused,
    ...(interval === undefined ? {} : { intervalMs: interval }),
  })
}

async function startCertificates(
  api: Api,
  { pod, services: names, certificates, mutating, validating }: KubernetesPlatform,
  { metrics, log }: Wiring,
): Promise<Certificates> {
  const services = { names, namespace: pod.namespace }
  const where = { api, services, mutating, validating, pathOf: entryPath, log }
  const onEvent = metrics.certificateEvent
  if ('folder' in certificates) {
    const { createKubernetesBundles } = await import('../certs/ca-bundles.ts')
    const bundles = createKubernetesBundles(where)
    const mounted = startCertificateFiles({ directory: certificates.folder, bundles, log, onEvent })
    await firstRead(mounted)
    return mounted
  }
  const { secretName, lifetimes } = certificates
  const [selfManaged, { createKubernetesStore }] = await Promise.all([
    import('../certs/self-managed.ts'),
    import('../certs/kubernetes-store.ts'),
  ])
  const cluster = createKubernetesStore({ ...where, secretName })
  return selfManaged.startCertificates({ cluster, services, lifetimes, log, onEvent })
}

async function readConfiguration(file: string | undefined, metrics: Metrics, log: Logger): Promise<ConfigurationFile> {
  if (file !== undefined) return watchConfiguration({ file, log, onRead: metrics.configurationRead })
  const parsed = parseConfiguration('')
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  return { current: () => parsed.value, problem: () => undefined, close: async () => {} }
}

const portOf = (address: string | AddressInfo | undefined): number | undefined =>
  typeof address === 'object' ? address.port : undefined

/** Bytes of log lines that may wait for standard output; later lines are dropped. */
const mostLines = 4 * 1024 * 1024

async function main(): Promise<void> {
  const read = readEnvironment(process.env)
  if (!read.ok) throw new Error(read.problems.join('; '))
  const environment = read.value
  const { drainTimeMs } = environment
  // One line for each review: written in batches, with a delay of at most a tenth of a second.
  const lines = destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 100, maxLength: mostLines })
  process.once('exit', () => lines.flushSync())
  const log = createLogger(environment.logLevel, lines)
  let platform: Platform | undefined = undefined
  const metrics = createMetrics({
    version,
    certificates: () => platform?.certificates,
    eventsDropped: () => platform?.events?.dropped() ?? 0,
  })
  lines.on('drop', () => metrics.limited('log'))
  const configuration = await readConfiguration(environment.configurationFile, metrics, log)
  const started: Platform = (platform = await startPlatform({ environment, metrics, configuration, log }))
  const { image, cluster, certificates, events, audit } = started
  const reviewed = createIdleMemory({ clock: realClock, collect: collectAll })
  const { server, drain } = createApp({
    tls: certificates.tlsOptions(),
    context: {
      cluster,
      configuration: () => configuration.current(),
      image,
      version,
      log,
      decided(decided) {
        reviewed()
        metrics.reviewed(decided)
        events?.add(decided)
      },
    },
    log,
    readiness: () => ({
      reason: cluster.notReady() ?? certificates.readiness().reason,
      detail: configuration.problem() && `the changed configuration file is not used: ${configuration.problem()}`,
    }),
    strangers: { segments: certificates.segments, refused: metrics.refused },
    metrics: () => metrics.text(),
    onLimited: metrics.limited,
  })
  certificates.attach(server.server as never)
  await server.listen({ host: environment.host, port: environment.port })
  log.info({ port: portOf(server.addresses()[0]), version, image }, 'listening')

  onTerminate(() => {
    log.info({ seconds: drainTimeMs / 1000 }, 'draining')
    drain()
    const close = async (): Promise<unknown> =>
      Promise.all([server.close(), ...[configuration, certificates, cluster, events, audit].map((one) => one?.close())])
    void sleep(drainTimeMs)
      .then(close)
      .then(() => process.exit(0))
  })
}

main().catch((error: unknown) => {
  console.error(startFailure('webhook', error))
  process.exit(1)
})
