import type { Settings, SignalTarget } from '../../shared/settings/codec.ts'
import type { PlanContext } from './context.ts'
import { templatesOf } from './effective-annotations.ts'
import { findSettings } from './finds.ts'
import type { Mode } from './mode.ts'
import { sidecarMountPath } from './mounts.ts'
import { resolvePort } from './port.ts'
import type { Requests } from './requests.ts'
import { withToken } from './tokens.ts'
import type { Variable } from './variables.ts'

/** What earlier steps decided, as far as the sidecar has to know it. */
export interface SettingsParts {
  mode: Mode
  /** Names of the containers that get the mount. */
  containers: string[]
  signal: SignalTarget | undefined
  requests: Requests
  variables: readonly Variable[] | undefined
  coordinator: Settings['coordinator']
  version: string
}

/** Creates the settings that the webhook passes to the sidecar. */
export function createSettings(
  { pod, values, configuration }: PlanContext,
  { mode, containers, signal, requests, variables, coordinator, version }: SettingsParts,
): Settings {
  const { clouds, identities, objects, finds, tokens } = requests
  const bound = configuration.bounds['poll-interval']
  return {
    schema: 1,
    version,
    mountPath: sidecarMountPath(values['mount-path']),
    mode,
    clouds,
    identities: identities.map((one) => withToken(one, clouds, tokens)),
    objects,
    ...findSettings(finds, configuration),
    templates: templatesOf(values),
    bundles: { ...values.bundles, ...values.objects?.bundles },
    ...(variables === undefined
      ? {}
      : { variables: Object.fromEntries(variables.map(({ name, path }) => [name, path])) }),
    fileMode: pod.spec.securityContext?.fsGroup === undefined ? 0o444 : 0o440,
    onDelete: values['on-delete'],
    pollInterval: values['poll-interval'],
    bounds: { pollInterval: { min: bound?.min ?? 0, max: bound?.max ?? Number.MAX_SAFE_INTEGER } },
    fullRefresh: configuration.fullRefresh,
    startupTimeout: values['startup-timeout'],
    expiryHorizon: configuration.expiryHorizon,
    logLevel: values['log-level'],
    ...(pod.spec.hostNetwork ? {} : { port: resolvePort(pod, configuration.sidecarPort) }),
    notify: {
      ...(signal === undefined ? {} : { signal }),
      ...(values['notify-url'] === undefined ? {} : { url: values['notify-url'] }),
      splay: values.splay,
    },
    ...(coordinator && { coordinator }),
    admitted: { containers },
  }
}
