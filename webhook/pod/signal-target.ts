import type { SignalTarget } from '../../shared/settings.ts'
import { didYouMean, listed, quote } from '../../shared/suggest.ts'
import type { Notes } from '../reasons.ts'
import type { Values } from '../values.ts'
import { allContainers, appContainers, initContainers, isNativeSidecar, type Container, type Pod } from './pod.ts'

const defaultContainerAnnotation = 'kubectl.kubernetes.io/default-container'

/**
 * The container that gets the signal; nothing where none is asked for or none can be.
 * @param recorded what an earlier pass resolved: it holds where the annotation does not name a container
 */
export function resolveSignal(
  pod: Pod,
  values: Values,
  knownSidecars: readonly string[],
  recorded: SignalTarget | undefined,
  notes: Notes,
): SignalTarget | undefined {
  const { signal } = values
  if (signal === undefined) return undefined
  if (pod.spec.hostPID) {
    notes.problem('signal', 'signal needs a process namespace shared by the pod alone, and the pod has hostPID: true')
  }
  if (pod.spec.shareProcessNamespace === false) {
    notes.problem('signal', 'signal needs a shared process namespace, and the pod has shareProcessNamespace: false')
  }
  const container = targetContainer(pod, values, knownSidecars, recorded, notes)
  if (container === undefined) return undefined
  warnAbout(pod, container, signal, notes)
  const process = values['signal-process']
  return { name: signal, container: container.name, ...(process === undefined ? {} : { process }) }
}

function targetContainer(
  pod: Pod,
  values: Values,
  knownSidecars: readonly string[],
  recorded: SignalTarget | undefined,
  notes: Notes,
): Container | undefined {
  // A native sidecar of the user's own runs beside the app and may be told as well.
  const candidates = [...appContainers(pod), ...initContainers(pod).filter(isNativeSidecar)]
  const named = values['signal-container']
  if (named !== undefined) {
    const container = candidates.find(({ name }) => name === named)
    if (container === undefined) {
      const names = candidates.map(({ name }) => name)
      notes.problem('unknown-container', `annotation azure.keyvault.injector/signal-container: there is no running container ${quote(named)}${didYouMean(named, names)}; the pod has ${listed(names)}`) // prettier-ignore
    }
    return container
  }
  const byDefault = pod.metadata?.annotations?.[defaultContainerAnnotation]
  const apps = appContainers(pod).filter(({ name }) => !knownSidecars.includes(name))
  const known =
    candidates.find(({ name }) => name === recorded?.container) ?? apps.find(({ name }) => name === byDefault)
  if (known !== undefined || apps.length === 1) return known ?? apps[0]
  if (apps.length > 0) {
    const names = apps.map(({ name }) => name)
    notes.problem('signal', `signal could go to any of ${listed(names)}: name one in the annotation azure.keyvault.injector/signal-container`) // prettier-ignore
  } else notes.problem('signal', 'signal has no container to go to')
  return undefined
}

function warnAbout(pod: Pod, container: Container, signal: string, notes: Notes): void {
  const restartPolicy = container.restartPolicy ?? pod.spec.restartPolicy
  if (signal === 'SIGTERM' && (restartPolicy === 'Never' || restartPolicy === 'OnFailure')) {
    const who = restartPolicy === 'Never' ? 'the app' : 'an app that exits 0'
    notes.warn('sigterm-stays-down', `SIGTERM with restartPolicy: ${restartPolicy}: ${who} stays down`)
  }
  if (signal === 'SIGTERM' && container.lifecycle?.preStop !== undefined) {
    notes.warn('sigterm-skips-pre-stop', `SIGTERM from the sidecar does not run the preStop hook of ${quote(container.name)}`) // prettier-ignore
  }
  for (const { name, lifecycle, livenessProbe, readinessProbe, startupProbe } of allContainers(pod)) {
    const execs = [lifecycle?.preStop, lifecycle?.postStart, livenessProbe, readinessProbe, startupProbe]
    if (execs.some((action) => killsFirstProcess(action?.exec?.command ?? []))) {
      notes.warn('kill-1', `${quote(name)} has a hook or probe with kill ... 1: process 1 is the pause container's now`)
    }
  }
}

/** One look at each command of a shell's line: a pattern across them would look from every `kill` to the end of the line. */
const killsFirstProcess = (command: string[]): boolean =>
  command
    .join(' ')
    .split(/[;&|]/)
    .some((one) => /\s1(?![^\s)'"`])/.test(one.slice(one.search(/\bkill\b/) >>> 0)))
