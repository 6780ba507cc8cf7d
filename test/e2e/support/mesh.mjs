// Runs in the cluster, as plain JavaScript: `/capture` passes reviews on to the injector's webhook and prints both sides as
// one line of JSON, `/mesh` adds a container as a service mesh's webhook would.
import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:https'

const read = async (stream) => Buffer.concat(await stream.toArray())

// Whether the certificate is the injector's own is not what is tested here.
const toInjector = {
  host: 'akv-injector.akv-injector-system.svc',
  path: '/mutate',
  method: 'POST',
  rejectUnauthorized: false,
}

async function forward(body) {
  const { promise, resolve, reject } = Promise.withResolvers()
  request({ ...toInjector, headers: { 'content-type': 'application/json' } }, (response) => resolve(read(response)))
    .on('error', reject)
    .end(body)
  return promise
}

function addContainer(review) {
  const { image, securityContext } = review.request.object.spec.containers[0]
  const proxy = { name: 'proxy', image, command: ['sleep', '3600'], securityContext }
  const patch = review.request.object.spec.containers.some(({ name }) => name === 'proxy')
    ? {}
    : { patchType: 'JSONPatch', patch: btoa(JSON.stringify([{ op: 'add', path: '/spec/containers/-', value: proxy }])) }
  return {
    apiVersion: review.apiVersion,
    kind: review.kind,
    response: { uid: review.request.uid, allowed: true, ...patch },
  }
}

const folder = import.meta.dirname
createServer(
  { cert: readFileSync(`${folder}/tls.crt`), key: readFileSync(`${folder}/tls.key`) },
  async (incoming, outgoing) => {
    const body = await read(incoming)
    const review = JSON.parse(body)
    if (incoming.url.startsWith('/capture')) {
      const answer = await forward(body)
      console.log(JSON.stringify({ request: review, response: JSON.parse(answer) }))
      outgoing.end(answer)
    } else {
      outgoing.end(JSON.stringify(addContainer(review)))
    }
  },
).listen(8443)
