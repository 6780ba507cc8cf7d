import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { json } from 'node:stream/consumers'

/** Where a pod finds its own token and its cluster's CA (Kubernetes, ServiceAccount admission). */
const inPod = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * Writes a CA's certificate as `ca.crt` into a ConfigMap of the cluster that this pod runs in, so that those who are to trust
 * it can mount it; an earlier one is replaced.
 * @param name `<namespace>/<name>`
 */
export async function publishCa(name: string, ca: string): Promise<void> {
  const [namespace, configMap] = name.split('/')
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: configMap, namespace }, data: { 'ca.crt': ca } }
  const created = await call('POST', path, body)
  const answer = created.code === 409 ? await call('PUT', `${path}/${configMap}`, body) : created
  if (answer.code !== undefined) throw new Error(`ConfigMap ${name}: ${answer.message}`)
}

/** Kubernetes' answer: a Status, which alone has a code, or the object. */
async function call(method: string, path: string, body: object): Promise<{ code?: number; message?: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const headers = {
    authorization: `Bearer ${readFileSync(`${inPod}/token`, 'utf8').trim()}`,
    'content-type': 'application/json',
  }
  const ca = readFileSync(`${inPod}/ca.crt`)
  request({ host: 'kubernetes.default.svc', path, method, headers, ca, timeout: 10_000 }, (response) =>
    resolve(json(response)),
  )
    .on('error', reject)
    .end(JSON.stringify(body))
  return (await promise) as { code?: number; message?: string }
}
