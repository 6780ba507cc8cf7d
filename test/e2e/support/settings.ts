/** What the suite is told of the cluster and its images; the defaults fit a cluster made by `kind create cluster`. */
export interface E2eSettings {
  kubeconfig: string
  /** The program, with its first arguments, that builds images. */
  builder: string[]
  /** The base image of the injector's image; the Containerfile's own where absent. */
  baseImage: string | undefined
  /** A busybox: the apps of the stories. */
  appImage: string
  /** Has nginx and redis-server; built from Debian's packages where absent. */
  serversImage: string | undefined
  /** The command, with its first arguments, that takes an image's name and puts it on the nodes. */
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
