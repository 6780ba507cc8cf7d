import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { createLogger, type Logger } from '../shared/log.ts'
import {
  containersVariable,
  coordinatorTokenFile,
  podinfoFolder,
  settingsVariable,
  statusSocket,
  terminationLog,
  tokenFile,
} from '../shared/names.ts'
import { Sidecar, type SidecarDependencies, type End } from './sidecar.ts'
import { realClock } from '../shared/clock.ts'
import { LiveFiles } from './live/annotations.ts'
import { Registry } from './report/metrics.ts'
import { createNotifier } from './notify/notifier.ts'
import { createRenderer } from '../shared/render/renderer.ts'
import { Reporter } from './report/reporter.ts'
import { openPort, type Port } from './report/server.ts'
import type { Settings } from '../shared/settings/codec.ts'
import type { Coordinate } from './poll/coordination.ts'
import type { CreateTurns } from './poll/turns.ts'
import { readSettings } from './settings.ts'
import { longestMessage } from '../shared/termination-limit.ts'
import { openVaults } from '../shared/vault/open-vaults.ts'
import { containersIn, terminationMessage, type Explanation } from './termination-message.ts'
import { Volume } from './volume/volume.ts'

/** The program's surroundings. */
export interface World {
  /** Variables of the process. */
  environment: Readonly<Record<string, string | undefined>>
  /** A prefix of every absolute path; empty in a container. */
  root: string
  /** Listens already at the port of the settings. */
  port?: Port | undefined
  /** Called once, when a complete set of files is served. */
  started?: () => void
  log?: Logger
}

/**
 * Runs the sidecar with the real vaults, volume, processes and clock.
 * @returns the exit code; the reason of a failure is in the log and in the termination message that `kubectl describe pod` shows
 */
export async function runSidecar(
  role: string,
  { environment, root, port, started = () => undefined, log = createLogger('info') }: World,
): Promise<0 | 1> {
  // Served files stay served, whatever happens.
  process.on('uncaughtException', ({ name, stack }) => {
    log.error({ event: 'defect', stack: stack?.split('\n').slice(1) }, `unexpected ${name}; please report it`)
  })
  const write = createTerminationMessage(join(root, terminationLog), log)
  const most = longestMessage(containersIn(environment[containersVariable]))
  const keep = (reason: Explanation) => write(terminationMessage(reason, most))
  const dependencies = {
    notStarted: keep,
    started() {
      write('')
      started()
    },
  }
  const end = await startSidecar(role, { environment, root, port, log }, dependencies).catch((error: Error): End => ({
    code: 1,
    reason: { lines: [`the sidecar cannot start: ${error.message}`], outcome: 'cannot-start' },
  }))
  if (end.code === 0) return 0
  log.error({ event: 'failed' }, terminationMessage(end.reason))
  keep(end.reason)
  return 1
}

/**
 * Writes what the kubelet reads when the container ends ({@link https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/}).
 * A failure is logged once.
 */
function createTerminationMessage(path: string, log: Logger): (text: string) => void {
  let isWritable = true
  return (text) => {
    try {
      writeFileSync(path, text)
    } catch (error) {
      if (isWritable)
        log.warn({ event: 'failed' }, `could not write the termination message: ${(error as Error).message}`)
      isWritable = false
    }
  }
}

async function startSidecar(
  role: string,
  { environment, root, port: early, log }: Pick<World, 'environment' | 'root' | 'port'> & { log: Logger },
  dependencies: Pick<SidecarDependencies, 'notStarted' | 'started'>,
): Promise<End> {
  if (role !== 'run' && role !== 'once') return refused(`unknown role "${role}": expected run or once`)
  const decoded = await readSettings(environment[settingsVariable] ?? '')
  if (!decoded.ok) return refused(...decoded.problems.map((problem) => `${settingsVariable}: ${problem}`))
  const settings = decoded.value

  const registry = new Registry()
  const report = new Reporter(log, registry)
  const token = join(root, environment['AZURE_FEDERATED_TOKEN_FILE'] || tokenFile)
  const authority = environment['AZURE_KUBERNETES_CA_FILE']
  const hooks = { onRequest: report.request, onSignIn: report.signIn }
  const files = {
    AZURE_FEDERATED_TOKEN_FILE: token,
    ...(authority && { AZURE_KUBERNETES_CA_FILE: join(root, authority) }),
  }
  const vaults = openVaults(settings, { ...environment, ...files }, hooks)
  if (!vaults.ok) return refused(...vaults.problems)

  const { find } = settings
  const selection = find && new (await import('../shared/detect/selection.ts')).Selection({ ...settings, find })
  const podinfo = new LiveFiles(join(root, podinfoFolder))
  const volume = new Volume(join(root, settings.mountPath))
  const sidecar = new Sidecar(
    settings,
    {
      vault: (object) => vaults.value.of(object),
      render: createRenderer(settings),
      volume,
      notifier: (handlers) => createNotifier({ ...settings.notify, ...handlers, log }),
      liveTexts: () => podinfo.texts(),
      pod: { name: podinfo.text('name'), namespace: podinfo.text('namespace') },
      selection,
      coordinate: await coordinateWith(settings, root, volume, log),
      turns: await turnsWith(settings, volume, log),
      clock: realClock,
      random: Math.random,
      ...{ log, registry, ...dependencies },
    },
    report,
  )
  const { port } = settings
  if (role === 'run') {
    const place = port === undefined ? { socket: join(root, statusSocket) } : { port }
    await (early ?? openPort(place)).serve(sidecar, report.connectionClosed)
  }
  return sidecar.run(role, new AbortController().signal)
}

/** Loads what holds sessions only for a pod that has a coordinator. */
async function coordinateWith(
  { coordinator }: Settings,
  root: string,
  volume: Volume,
  log: Logger,
): Promise<Coordinate | undefined> {
  if (!coordinator) return undefined
  const { createCoordination } = await import('./coordination/coordinate.ts')
  const readToken = async () => (await readFile(join(root, coordinatorTokenFile), 'utf8')).trim()
  const coordinate = createCoordination({
    access: coordinator,
    ...{ readToken, clock: realClock, random: Math.random, log },
    kept: { read: () => volume.kept('authorities'), write: (text) => volume.keep('authorities', text) },
  })
  return (host) => {
    const coordination = coordinate(host)
    // A signal ends the process at once; this is sent before.
    process.once('exit', () => coordination.leave())
    return coordination
  }
}

/** Loads what takes turns only for a pod that does. */
async function turnsWith(
  { coordinator, notify }: Settings,
  volume: Volume,
  log: Logger,
): Promise<CreateTurns | undefined> {
  if (!coordinator?.turns) return undefined
  const { createTurns } = await import('./turns/create-turns.ts')
  return createTurns({ settings: coordinator.turns, ...{ notify, volume, log }, clock: realClock, random: Math.random })
}

/** The settings cannot be used. */
const refused = (...lines: string[]): End => ({ code: 1, reason: { lines, outcome: 'settings' } })
