import {
  initContainer, podinfoFolder, podinfoVolume, runFolder, runVolume, secretsVolume, settingsVariable, sidecarContainer,
  sidecarScript, tokenFile, tokenFolder, tokenVolume,
} from '../../shared/names.ts' // prettier-ignore
import type { Plan } from '../plan.ts'
import type { Container } from './pod.ts'
import { probes } from './probes.ts'
import { securityContext } from './security-context.ts'

/**
 * V8's flags for a process that mostly sleeps: interpreted, with the least of room for what is new. Only loops that do not end soon
 * are compiled; `--jitless`, no smaller, would not do even that. A node that does not know one of them does not start: they belong
 * to the version in the image.
 */
export const nodeFlags: readonly string[] = [
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--no-sparkplug',
  '--no-maglev',
  '--invocation-count-for-turbofan=1000000',
]

/** The containers that a pod gets: one among the init containers, and in the mode `classic` one beside the app. */
export function sidecarContainers(plan: Plan): { init: Container; beside?: Container } {
  const { mode, port } = plan.settings
  const running = probes(port)
  // The image's entrypoint is node: `args` alone say what runs.
  const args = [...nodeFlags, sidecarScript]
  switch (mode) {
    case 'native':
      return { init: { name: sidecarContainer, ...common(plan), args, restartPolicy: 'Always', ...running } }
    case 'classic':
      return {
        init: { name: initContainer, ...common(plan), args: [...args, 'once'] },
        beside: { name: sidecarContainer, ...common(plan), args, ...running },
      }
    case 'once':
      return { init: { name: initContainer, ...common(plan), args: [...args, 'once'] } }
  }
}

function common(plan: Plan) {
  const { image, configuration, user, resources, settings, identity, hostNetwork } = plan
  return {
    image,
    ...(configuration.imagePullPolicy === undefined ? {} : { imagePullPolicy: configuration.imagePullPolicy }),
    env: environment(plan),
    resources: {
      requests: resources.requests,
      ...(Object.keys(resources.limits).length > 0 ? { limits: resources.limits } : {}),
    },
    securityContext: securityContext(user),
    volumeMounts: [
      { name: secretsVolume, mountPath: settings.mountPath },
      ...(identity.mode === 'identity-binding' ? [] : [{ name: tokenVolume, mountPath: tokenFolder, readOnly: true }]),
      { name: podinfoVolume, mountPath: podinfoFolder, readOnly: true },
      ...(hostNetwork ? [{ name: runVolume, mountPath: runFolder }] : []),
    ],
  }
}

function environment({ encodedSettings, identity, configuration: { proxy } }: Plan): { name: string; value: string }[] {
  const variables: Record<string, string | undefined> = {
    [settingsVariable]: encodedSettings,
    // With an identity binding these four and the token are the workload identity webhook's.
    ...(identity.mode === 'identity-binding'
      ? {}
      : {
          AZURE_CLIENT_ID: identity.clientId,
          AZURE_TENANT_ID: identity.tenantId,
          AZURE_FEDERATED_TOKEN_FILE: tokenFile,
          AZURE_AUTHORITY_HOST: identity.cloud.authorityHost.replace(/\/*$/, '/'),
        }),
    HTTP_PROXY: proxy?.httpProxy,
    HTTPS_PROXY: proxy?.httpsProxy,
    NO_PROXY: proxy?.noProxy,
  }
  return Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]))
}
