import { ask } from './https.ts'

/** Where a pod finds its own token and its cluster's CA (Kubernetes, ServiceAccount admission). */
export const podCredentials = '/var/run/secrets/kubernetes.io/serviceaccount'

/** A Kubernetes API server, and what it takes to speak to it. */
export interface ApiServer {
  url: string
  ca: string
  token: string
}

/**
 * Puts a CA's certificate into a ConfigMap (`<namespace>/<name>`, key `ca.crt`), where those who are to trust the emulator can
 * mount it. Needs `create` on ConfigMaps, and `update` on this one when it exists already.
 */
export async function publishCa({ url, ca, token }: ApiServer, configMap: string, certificate: string): Promise<void> {
  const [namespace, name] = configMap.split('/')
  if (!namespace || !name) throw new Error(`${configMap} is not <namespace>/<name>.`)
  const all = `${url}/api/v1/namespaces/${namespace}/configmaps`
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data: { 'ca.crt': certificate } }
  let answer = await ask(all, { method: 'POST', ca, token, body })
  if (answer.status === 409) answer = await ask(`${all}/${name}`, { method: 'PUT', ca, token, body })
  if (answer.status >= 300) throw new Error(`ConfigMap ${configMap}: ${answer.status} ${answer.body.slice(0, 300)}`)
}
