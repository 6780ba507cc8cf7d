import type { SignalTarget } from '../../shared/settings/codec.ts'
import { signals, type SignalName } from '../../shared/signals.ts'
import { didYouMean, listed, quote } from '../../shared/messages.ts'
import type { Diagnostics } from '../reasons.ts'
import type { PlanContext } from './context.ts'
import type { Mode } from './mode.ts'
import {
  allContainers,
  appContainers,
  defaultContainer,
  initContainers,
  isNativeSidecar,
  type Container,
  type Pod,
} from '../pod/pod.ts'

/** Whether the sidecar sends a signal at all. In the mode `once`, nothing runs after the start that could send one. */
export const sendsSignal = ({ values }: PlanContext, mode: Mode): boolean =>
  mode !== 'once' && values.signal !== undefined

/**
 * Returns the container that gets the signal; undefined if no signal is requested or no container can get it.
 * @param recorded the result of an earlier pass, which applies if no annotation names a container
 */
export function resolveSignal(
  context: PlanContext,
  mode: Mode,
  recorded: SignalTarget | undefined,
): SignalTarget | undefined {
  const { pod, values, diagnostics } = context
  const { signal } = values
  if (signal === undefined || !sendsSignal(context, mode)) return undefined
  if (pod.spec.hostPID) {
    diagnostics.problem(
      'signal',
      'signal needs a process namespace of the pod alone, but the pod has hostPID: true; remove it, or use notify-url instead of signal',
    )
  }
  if (pod.spec.shareProcessNamespace === false) {
    diagnostics.problem(
      'signal',
      'signal needs a shared process namespace, but the pod has shareProcessNamespace: false; remove it, or use notify-url instead of signal',
    )
  }
  const container = targetContainer(context, recorded)
  if (container === undefined) return undefined
  warnAbout(pod, container, signal, diagnostics)
  const target = values['signal-process']
  return { name: signal, container: container.name, ...(target === undefined ? {} : { process: target }) }
}

function targetContainer(
  { pod, values, configuration: { knownSidecars }, diagnostics }: PlanContext,
  recorded: SignalTarget | undefined,
): Container | undefined {
  // The user's own native sidecars run beside the app and can get the signal too.
  const candidates = [...appContainers(pod), ...initContainers(pod).filter(isNativeSidecar)]
  const named = values['signal-container']
  if (named !== undefined) {
    const container = candidates.find(({ name }) => name === named)
    if (container === undefined) {
      const names = candidates.map(({ name }) => name)
      diagnostics.problem(
        'unknown-container',
        `annotation azure.keyvault.injector/signal-container: there is no running container ${quote(named)}${didYouMean(named, names)}; the pod has ${listed(names)}`,
      )
    }
    return container
  }
  const apps = appContainers(pod).filter(({ name }) => !knownSidecars.includes(name))
  const known = candidates.find(({ name }) => name === recorded?.container) ?? defaultContainer(pod, apps)
  if (known !== undefined) return known
  if (apps.length > 0) {
    const names = apps.map(({ name }) => name)
    diagnostics.problem(
      'signal',
      `signal has several possible targets (${listed(names)}): name one in the annotation azure.keyvault.injector/signal-container`,
    )
  } else
    diagnostics.problem(
      'signal',
      `signal has no target, because every container is a known sidecar (${listed(appContainers(pod).map(({ name }) => name))}): name the app's container in the annotation azure.keyvault.injector/signal-container`,
    )
  return undefined
}

function warnAbout(pod: Pod, container: Container, signal: SignalName, diagnostics: Diagnostics): void {
  const restartPolicy = container.restartPolicy ?? pod.spec.restartPolicy
  const { terminates } = signals[signal]
  if (terminates && (restartPolicy === 'Never' || restartPolicy === 'OnFailure')) {
    diagnostics.warn(
      'sigterm-stays-down',
      `set restartPolicy: Always, or use another signal: with ${restartPolicy}, ${quote(container.name)} is not restarted if it exits${restartPolicy === 'Never' ? '' : ' with 0'} on ${signal}`,
    )
  }
  if (terminates && container.lifecycle?.preStop !== undefined) {
    diagnostics.warn(
      'sigterm-skips-pre-stop',
      `do the work of the preStop hook of ${quote(container.name)} on ${signal} too: the sidecar's signal does not run the hook`,
    )
  }
  for (const { name, lifecycle, livenessProbe, readinessProbe, startupProbe } of allContainers(pod)) {
    const execs = [lifecycle?.preStop, lifecycle?.postStart, livenessProbe, readinessProbe, startupProbe]
    if (execs.some((action) => killsFirstProcess(action?.exec?.command ?? []))) {
      diagnostics.warn(
        'kill-1',
        `signal the app by its name in the hook or probe of ${quote(name)} that runs kill ... 1: with signal, process 1 is the pause container's`,
      )
    }
  }
}

/** Checks each command of a shell line on its own, because one pattern for the line would scan from every `kill` to its end. */
const killsFirstProcess = (command: string[]): boolean =>
  command
    .join(' ')
    .split(/[;&|]/)
    .some((one) => /\s1(?![^\s)'"`])/.test(one.slice(one.search(/\bkill\b/) >>> 0)))
