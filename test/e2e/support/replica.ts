import { kubectl } from './kubectl.ts'

/** What a replica of the webhook answers at a path, such as `/metrics`, by way of the API server. @throws Error where it is not 2xx */
export const askReplica = (namespace: string, pod: string, path: string): Promise<string> =>
  kubectl(['get', '--raw', `/api/v1/namespaces/${namespace}/pods/https:${pod}:8443/proxy${path}`])
