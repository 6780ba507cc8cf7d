/** The suite's settings for the cluster and its images; the defaults fit a cluster made by `kind create cluster`. */
export interface E2eSettings {
  kubeconfig: string
  /** The program, with its first arguments, that builds images. */
  builder: string[]
  /** The base image of the injector's image; by default the Containerfile's own. */
  baseImage: string | undefined
  /** A busybox image for the apps of the scenarios. */
  appImage: string
  /** An image with nginx and redis-server; by default built from Debian's packages. */
  serversImage: string | undefined
  /** The command, with its first arguments, that loads an image into the nodes, given its name. */
  loadImage: string[]
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '')

/** Reads the suite's settings from the environment. @throws Error that says how to get a cluster, without `KUBECONFIG` */
export function readSettings(environment: Record<string, string | undefined>): E2eSettings {
  const kubeconfig = environment['KUBECONFIG']
  if (kubeconfig === undefined || kubeconfig === '') {
    throw new Error(
      'KUBECONFIG names no cluster; to get one: kind create cluster && export KUBECONFIG=$HOME/.kube/config',
    )
  }
  return {
    kubeconfig,
    builder: words(environment['E2E_BUILDER'] ?? 'docker'),
    baseImage: environment['E2E_BASE_IMAGE'],
    appImage: environment['E2E_APP_IMAGE'] ?? 'busybox:1.37',
    serversImage: environment['E2E_SERVERS_IMAGE'],
    loadImage: words(environment['E2E_LOAD_IMAGE'] ?? 'kind load docker-image'),
  }
}
