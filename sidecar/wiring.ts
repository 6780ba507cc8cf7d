import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { createLogger, type Logger } from '../shared/log.ts'
import { printableLines } from '../shared/printable.ts'
import { podinfoFolder, settingsVariable, statusSocket, terminationLog, tokenFile } from '../shared/names.ts'
import { Sidecar, type Effects, type End } from './app.ts'
import { realClock } from './clock.ts'
import { LiveFiles } from './live.ts'
import { Registry } from './metrics.ts'
import { createNotifier } from './notify/notifier.ts'
import { rendering } from './rendering.ts'
import { Report } from './report.ts'
import { serve } from './server.ts'
import { readSettings } from './settings.ts'
import { openVaults } from './vault/open-vaults.ts'
import { Volume } from './volume/volume.ts'

/** What the program is given. */
export interface World {
  /** Variables of the process. */
  environment: Readonly<Record<string, string | undefined>>
  /** Stands before every absolute path; empty in a container. */
  root: string
  /** Called once, when a complete set of files is served. */
  started?: () => void
  log?: Logger
}

/**
 * Runs the sidecar with the real vaults, volume, processes and clock.
 * @returns the exit code; a failure's reason is in the log, and where `kubectl describe pod` shows it
 */
export async function runSidecar(
  role: string,
  { environment, root, started = () => undefined, log = createLogger('info') }: World,
): Promise<0 | 1> {
  // Whatever it is, files that are served stay served.
  process.on('uncaughtException', ({ name, stack }) => {
    log.error({ event: 'defect', stack: stack?.split('\n').slice(1) }, `an unexpected ${name}`)
  })
  const keep = terminationMessage(join(root, terminationLog), log)
  const effects = {
    notStarted: keep,
    started() {
      keep('')
      started()
    },
  }
  const end = await startSidecar(role, { environment, root, log }, effects).catch((error: Error): End => ({
    code: 1,
    reason: `the sidecar cannot start: ${error.message}`,
  }))
  if (end.code === 0) return 0
  log.error({ event: 'failed' }, end.reason)
  keep(end.reason)
  return 1
}

/**
 * Writes what the kubelet reads when the container ends ({@link https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/}).
 * A failure is logged once.
 */
function terminationMessage(path: string, log: Logger): (text: string) => void {
  let isWritable = true
  return (text) => {
    try {
      writeFileSync(path, printableLines(text))
    } catch (error) {
      if (isWritable) log.warn({ event: 'failed' }, `cannot write the termination message: ${(error as Error).message}`)
      isWritable = false
    }
  }
}

async function startSidecar(
  role: string,
  { environment, root, log }: Pick<Required<World>, 'environment' | 'root' | 'log'>,
  effects: Pick<Effects, 'notStarted' | 'started'>,
): Promise<End> {
  if (role !== 'run' && role !== 'once') return failed(`"${role}" is no role of the sidecar: there are run and once`)
  const decoded = await readSettings(environment[settingsVariable] ?? '')
  if (!decoded.ok) return failed(...decoded.problems.map((problem) => `${settingsVariable}: ${problem}`))
  const settings = decoded.value

  const registry = new Registry()
  const report = new Report(log, registry)
  const token = join(root, environment['AZURE_FEDERATED_TOKEN_FILE'] || tokenFile)
  const authority = environment['AZURE_KUBERNETES_CA_FILE']
  const hooks = { onRequest: report.request, onSignIn: report.signIn }
  const files = { AZURE_FEDERATED_TOKEN_FILE: token, ...(authority && { AZURE_KUBERNETES_CA_FILE: join(root, authority) }) } // prettier-ignore
  const vaults = openVaults(settings, { ...environment, ...files }, hooks)
  if (!vaults.ok) return failed(...vaults.problems)

  const podinfo = new LiveFiles(join(root, podinfoFolder))
  const sidecar = new Sidecar(
    settings,
    {
      vault: (object) => vaults.value.of(object),
      render: rendering(settings),
      volume: new Volume(join(root, settings.mountPath)),
      notifier: (handlers) => createNotifier({ ...settings.notify, ...handlers, log }),
      liveTexts: () => podinfo.texts(),
      pod: { name: podinfo.text('name'), namespace: podinfo.text('namespace') },
      clock: realClock,
      random: Math.random,
      ...{ log, registry, ...effects },
    },
    report,
  )
  const { port } = settings
  if (role === 'run')
    await serve(sidecar, port === undefined ? { socket: join(root, statusSocket) } : { port }, report.connectionClosed)
  return sidecar.run(role, new AbortController().signal)
}

const failed = (...reasons: string[]): End => ({ code: 1, reason: reasons.join('\n') })
