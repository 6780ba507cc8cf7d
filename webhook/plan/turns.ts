import type { SignalTarget } from '../../shared/settings/codec.ts'
import type { Readiness, TurnSettings } from '../../shared/settings/schema.ts'
import { quote } from '../../shared/messages.ts'
import { allContainers, appContainers, defaultContainer, type Container } from '../pod/pod.ts'
import type { PlanContext } from './context.ts'

/** Returns how a pod takes turns with the other pods of its group; undefined if it takes none. */
export function resolveTurns(context: PlanContext, signal: SignalTarget | undefined): TurnSettings | undefined {
  const { values, diagnostics } = context
  const maxUnavailable = values['max-unavailable']
  const url = values['ready-url']
  if (maxUnavailable === undefined) {
    for (const name of ['ready-url', 'turn-group'] as const) {
      if (values[name] !== undefined)
        diagnostics.warn('no-effect', `add the annotation max-unavailable, or remove ${name}: it has no effect alone`)
    }
    return undefined
  }
  if (signal === undefined && values['notify-url'] === undefined && url === undefined) {
    diagnostics.problem(
      'bad-annotation',
      'annotation azure.keyvault.injector/max-unavailable: add signal, notify-url or ready-url: without them, the sidecar cannot find out when the app uses a new set and is ready',
    )
  }
  const readiness = url === undefined ? probedReadiness(context, signal) : { url }
  return {
    maxUnavailable,
    minReady: values['min-ready'],
    timeout: values['turn-timeout'],
    ...(readiness && { readiness }),
  }
}

/** Warns of annotations about turns in a pod for which no coordinator grants any. */
export function warnWithoutTurns({ values, diagnostics }: PlanContext): void {
  for (const name of ['max-unavailable', 'ready-url', 'turn-group'] as const) {
    if (values[name] !== undefined)
      diagnostics.warn(
        'no-effect',
        `remove ${name}, or ask the administrator for a coordinator that watches the vault: without one it has no effect`,
      )
  }
}

/** What the kubelet asks to find out whether the container is ready. */
function probedReadiness(
  { pod, configuration: { knownSidecars }, diagnostics }: PlanContext,
  signal: SignalTarget | undefined,
): Readiness | undefined {
  const apps = appContainers(pod).filter(({ name }) => !knownSidecars.includes(name))
  const container = signal
    ? allContainers(pod).find(({ name }) => name === signal.container)
    : defaultContainer(pod, apps)
  const probe = container?.readinessProbe
  if (!container || !probe) return undefined
  const times = { period: (probe.periodSeconds || 10) * 1_000, timeout: (probe.timeoutSeconds || 1) * 1_000 }
  const { httpGet, tcpSocket } = probe
  const port = portOf(container, (httpGet ?? tcpSocket)?.port)
  if (port === undefined) {
    diagnostics.warn(
      'no-effect',
      `add the annotation ready-url: the sidecar cannot ask the readinessProbe of ${quote(container.name)}, only httpGet and tcpSocket`,
    )
    return undefined
  }
  if (!httpGet) return { tcp: port, ...(tcpSocket?.host && { host: tcpSocket.host }), ...times }
  const { path, host, scheme, httpHeaders } = httpGet
  return {
    scheme: scheme === 'HTTPS' ? 'https' : 'http',
    port,
    path: path?.startsWith('/') ? path : `/${path ?? ''}`,
    ...(host && { host }),
    headers: (httpHeaders ?? []).map(({ name, value = '' }) => ({ name, value })),
    ...times,
  }
}

/** The number of a port, which may be the name of one of the container's. */
function portOf({ ports = [] }: Container, port: string | number | undefined): number | undefined {
  const number =
    typeof port === 'string' && !/^\d+$/.test(port)
      ? ports.find(({ name }) => name === port)?.containerPort
      : Number(port)
  return number !== undefined && number >= 1 && number <= 65_535 ? number : undefined
}
