import { randomUUID } from 'node:crypto'
import { injectionLabel } from '../../../shared/names.ts'
import { nodeContainer, restrictedPod } from './apps.ts'
import { apply, kubectl, makeNamespace, type KubernetesObject } from './kubectl.ts'
import { readyPod } from './pods.ts'
import type { Lifetime } from './process.ts'

export interface Answer {
  status: number
  headers: Record<string, string>
  text: string
}

const post = `
const [url, body] = process.argv.slice(1)
const options = { method: 'POST', rejectUnauthorized: false, headers: { 'content-type': 'application/json' } }
require('node:https').request(url, options, (response) => {
  let text = ''
  const answer = () => console.log(JSON.stringify({ status: response.statusCode, headers: response.headers, text }))
  response.on('data', (part) => (text += part)).on('end', answer)
}).end(body)`

/** An AdmissionReview about the creation of a pod, as anybody can write it. */
export function reviewOf(pod: KubernetesObject) {
  const kind = { group: '', version: 'v1', kind: 'Pod' }
  const resource = { group: '', version: 'v1', resource: 'pods' }
  const userInfo = { username: 'stranger' }
  const { namespace } = pod.metadata
  const request = { uid: randomUUID(), kind, resource, operation: 'CREATE', namespace, userInfo, object: pod }
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }
}

/** A pod with Node in a namespace that is not opted in, while the test runs. */
export async function startStranger(t: Lifetime) {
  const namespace = await makeNamespace(t, { [injectionLabel]: 'none' })
  const container = nodeContainer('node', ['-e', 'setInterval(() => {}, 1e6)'], 0, { readinessProbe: undefined })
  const spec = { terminationGracePeriodSeconds: 1, securityContext: restrictedPod, containers: [container] }
  await apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'stranger', namespace }, spec })
  await readyPod(namespace, 'stranger')
  const run = (script: string, ...args: string[]): Promise<string> =>
    kubectl(['exec', '-n', namespace, 'stranger', '--', '/nodejs/bin/node', '-e', script, ...args])
  return {
    /** Sends a body from inside the pod, without verifying the server's certificate. */
    post: async (url: string, body: object): Promise<Answer> =>
      JSON.parse(await run(post, url, JSON.stringify(body))) as Answer,
  }
}
