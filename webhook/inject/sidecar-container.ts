import {
  containersVariable,
  initContainer,
  podinfoFolder,
  podinfoVolume,
  runFolder,
  runVolume,
  secretsVolume,
  settingsVariable,
  sidecarContainer,
  sidecarScript,
  tokenFile,
  tokenFolder,
  tokenVolume,
} from '../../shared/names.ts'
import type { Plan } from '../plan/plan.ts'
import type { Container } from '../pod/pod.ts'
import { probes } from './probes.ts'
import { securityContext } from '../plan/sidecar-user.ts'

/**
 * V8 flags for a process that mostly sleeps: code is interpreted, and the space for new objects is minimal. Only long-running loops are
 * compiled; `--jitless` would save nothing more and compile not even those. V8 multiplies the invocation count with the size of a function
 * in 32 bits: without a limit of the size, it compiles a large one after some hundred requests, for 3 MB. Node does not start with a flag
 * that it does not know, so the flags belong to the version in the image.
 */
export const nodeFlags: readonly string[] = [
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--no-sparkplug',
  '--no-maglev',
  '--invocation-count-for-turbofan=1000000',
  '--max-optimized-bytecode-size=2000',
]

/**
 * A setting of glibc's allocator, see {@link https://man7.org/linux/man-pages/man3/mallopt.3.html}. Node reads from each connection into a
 * block of 64 KiB and keeps only what arrived, until the next garbage collection. With the default, the rests of these blocks lie unused
 * between others, 7 MB after some hundred probes and scrapes; blocks of the size below return to the kernel instead.
 */
export const allocatorVariables: Readonly<Record<string, string>> = { MALLOC_MMAP_THRESHOLD_: '65536' }

/** Returns the containers that a pod gets: one among the init containers, and in the mode `classic` another beside the app. */
export function sidecarContainers(plan: Plan): { init: Container; beside?: Container } {
  const { mode, port } = plan.settings
  const running = probes(port)
  // The image's entrypoint is node, so `args` suffice.
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
  const { user, settings, tokens, hostNetwork } = plan
  return {
    ...imageOf(plan),
    env: environment(plan),
    ...resourcesOf(plan),
    securityContext: securityContext(user),
    volumeMounts: [
      { name: secretsVolume, mountPath: settings.mountPath },
      ...(tokens.length === 0 ? [] : [{ name: tokenVolume, mountPath: tokenFolder, readOnly: true }]),
      { name: podinfoVolume, mountPath: podinfoFolder, readOnly: true },
      ...(hostNetwork ? [{ name: runVolume, mountPath: runFolder }] : []),
    ],
  }
}

export const imageOf = ({ image, configuration: { imagePullPolicy } }: Plan) => ({
  image,
  ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
})

export const resourcesOf = ({ resources: { requests, limits } }: Plan) => ({
  resources: { requests, ...(Object.keys(limits).length > 0 ? { limits } : {}) },
})

/** Where the sidecar learns how long its termination message may be. Most pods do not have the variable. */
export const countVariable = ({ containers }: Plan): Record<string, string> =>
  containers === undefined ? {} : { [containersVariable]: String(containers) }

function environment(plan: Plan): { name: string; value: string }[] {
  const { encodedSettings, identity } = plan
  const { proxy } = plan.configuration
  const variables: Record<string, string | undefined> = {
    [settingsVariable]: encodedSettings,
    ...countVariable(plan),
    // With an identity binding, the workload identity webhook provides these four and the token.
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
    ...allocatorVariables,
  }
  return Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]))
}
