/** The coordinator's program: watches the metadata of vaults, and tells sidecars what changed. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { KubeConfig } from '@kubernetes/client-node'
import { firstRead, startCertificateFiles } from '../certs/mounted.ts'
import packageJson from '../package.json' with { type: 'json' }
import { realClock } from '../shared/clock.ts'
import { createKubernetesApi } from '../shared/kubernetes/api.ts'
import { createLogger } from '../shared/log.ts'
import { startFailure } from '../shared/start-failure.ts'
import { watchConfiguration } from '../webhook/configuration/file.ts'
import { readClusterKeys } from './cluster-keys.ts'
import { createCoordinator } from './coordinator.ts'
import { readEnvironment } from './environment.ts'
import { createMetrics } from './metrics.ts'
import { createLocalServer, loopback } from './rotation/local-server.ts'
import { sessionLimit as limitFor } from './session-limit.ts'
import { createPodEvents } from './events.ts'
import { Lease } from './turns/lease.ts'
import { isNamed, isWatched, openVault, type VaultOptions } from './vaults.ts'

const defaultNamespace = 'akv-injector-system'
const leaseName = 'akv-injector-coordinator'

async function main(): Promise<void> {
  const read = readEnvironment(process.env)
  if (!read.ok) throw new Error(read.problems.join('; '))
  const { host, port, statePort, logLevel, instance, configurationFile, certificatesFolder } = read.value
  const log = createLogger(logLevel)
  const configuration = await watchConfiguration({ file: configurationFile, log })
  const { coordinator: first } = configuration.current()
  if (!first) throw new Error(`${configurationFile}: there is no field coordinator`)
  const settings = () => configuration.current().coordinator ?? first

  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromDefault()
  const api = createKubernetesApi(kubeConfig)
  const certificates = startCertificateFiles({ directory: certificatesFolder, log, name: 'coordinator certificate' })
  const sessionLimit = limitFor(process.constrainedMemory())
  const metrics = createMetrics({
    sessions: () => coordinator.sessions.size,
    limit: sessionLimit,
    pods: () => coordinator.pods(),
    groups: () => coordinator.watcher.counts(settings().coverageAge),
    turns: () => coordinator.turns.counts(),
    decides: () => lease.heldMs !== undefined,
  })
  const lease = new Lease({
    ...{ api, namespace: kubeConfig.getContextObject(kubeConfig.getCurrentContext())?.namespace ?? defaultNamespace },
    ...{ name: leaseName, holder: `${instance}_${randomUUID()}`, clock: realClock },
    onChange({ heldMs, other }, error) {
      if (heldMs !== undefined) log.info({ event: 'lease', held: true }, `has the Lease ${leaseName}: grants turns`)
      else log.warn({ event: 'lease', held: false, other }, `lost the Lease ${leaseName}: ${error?.message ?? other}`)
    },
  })
  const vaultOptions: VaultOptions = {
    configuration: () => configuration.current(),
    environment: process.env,
    onRequest: ({ outcome, requests }) => metrics.requested(outcome, requests),
    onSignIn: ({ outcome, message }) => {
      if (outcome !== 'success') log.warn({ event: 'sign-in', outcome }, message ?? 'sign-in failed')
    },
  }
  const coordinator = createCoordinator({
    lease,
    onTurn: (outcome) => metrics.turned(outcome),
    tls: certificates.tlsOptions(),
    readKeys: () => readClusterKeys(api),
    vault: (url) => openVault(url, vaultOptions),
    isAllowed: (namespace, url) => isWatched(configuration.current(), namespace, url),
    isNamed: (url, name) => isNamed(configuration.current(), url, name),
    durations: settings,
    caCertificates: () => settings().caCertificates,
    hintRate: () => settings().hintRate,
    sessionLimit,
    notReady: () => certificates.readiness().reason,
    metrics: () => metrics.text(),
    tell: createPodEvents({ api, instance, log, clock: realClock }),
    onFailure: (vault, { kind, message }) => log.warn({ event: 'look-failed', vault, kind }, remedyFor(kind, message)),
    onRefused(reason, error) {
      metrics.refused(reason)
      if (error) log.warn({ event: 'keys-failed' }, `cannot verify tokens: ${error.message}`)
      else log.debug({ event: 'session-refused', reason }, 'refused a session')
    },
    onEnd: (reason) => metrics.ended(reason),
    clock: realClock,
  })
  certificates.attach(coordinator.server)
  await firstRead(certificates)
  coordinator.server.listen(port, host)
  const local = createLocalServer(coordinator.rotation).listen(statePort, loopback)
  await Promise.all([once(coordinator.server, 'listening'), once(local, 'listening')])
  const { port: listening } = coordinator.server.address() as AddressInfo
  void lease.run()
  log.info({ event: 'listening', port: listening, version: packageJson.version, sessionLimit }, 'listening')
  process.once('SIGTERM', () => {
    log.info({ event: 'ended' }, 'said goodbye to all sidecars, which poll until another coordinator is there')
    const closed = [coordinator.close(), lease.close().catch(() => undefined)]
    void Promise.all(closed).then(() => process.exit(0))
  })
}

const remedyFor = (kind: string, message: string): string =>
  kind === 'forbidden'
    ? `${message}; the coordinator needs no more than the role Key Vault Reader, which cannot read values; pods poll what it cannot look at`
    : message

process.on('SIGINT', () => process.exit(0))
main().catch((error: unknown) => {
  console.error(startFailure('coordinator', error))
  process.exit(1)
})
