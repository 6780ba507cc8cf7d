import type { KubeConfig } from '@kubernetes/client-node'
import { createKubernetesApi, type Api } from '../../shared/kubernetes/api.ts'
import { fail, ok, type Result } from '../../shared/result.ts'

export interface ConnectOptions {
  /** A kubeconfig; without it, those of KUBECONFIG, ~/.kube/config, or the ServiceAccount of the pod. */
  kubeconfig?: string
  context?: string
}

/** Creates a client with the caller's credentials: a certificate, a token, or a program that the kubeconfig names. */
export async function connect(options: ConnectOptions): Promise<Result<Api>> {
  const config = await loadKubeConfig(options)
  return config.ok ? ok(createKubernetesApi(config.value)) : config
}

/** Reads the kubeconfig, and refuses what these commands do not support. */
export async function loadKubeConfig({ kubeconfig, context }: ConnectOptions): Promise<Result<KubeConfig>> {
  // Only this command needs it.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  try {
    if (kubeconfig === undefined) config.loadFromDefault()
    else config.loadFromFile(kubeconfig)
  } catch (error) {
    return fail(`cannot read the kubeconfig: ${(error as Error).message}`)
  }
  if (context !== undefined && config.getContextObject(context) === null)
    return fail(`the kubeconfig has no context "${context}"`)
  if (context !== undefined) config.setCurrentContext(context)
  const cluster = config.getCurrentCluster()
  if (cluster === null) return fail('the kubeconfig has no current context: choose one with --context')
  const viaProxy = 'run kubectl proxy, and use a kubeconfig with its address as the server'
  if (cluster.proxyUrl !== undefined)
    return fail(`the kubeconfig has a proxy-url, which this command does not support: ${viaProxy}`)
  // The client reads the token of a pod's ServiceAccount as such a provider.
  const provider = config.getCurrentUser()?.authProvider as { name?: string } | undefined
  if (provider !== undefined && provider.name !== 'tokenFile')
    return fail(
      `the kubeconfig signs in with an auth-provider, which this command does not support: use exec, or ${viaProxy}`,
    )
  return ok(config)
}
