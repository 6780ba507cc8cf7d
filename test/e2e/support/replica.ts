import { kubectl } from './kubectl.ts'

/**
 * Returns what a replica of the webhook answers at a path such as `/metrics`, through the API server. @throws Error if
 * it is not 2xx
 */
export const askReplica = (namespace: string, pod: string, path: string): Promise<string> =>
  kubectl(['get', '--raw', `/api/v1/namespaces/${namespace}/pods/https:${pod}:8443/proxy${path}`])
