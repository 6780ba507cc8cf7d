// Runs in the cluster, as plain JavaScript: `/capture` passes reviews on to the injector's webhook and prints both sides as
// one line of JSON, `/mesh` adds a container as a service mesh's webhook would, `/ask` adds the annotations of a pod that asks,
// `/old-types` leaves of each variable what a webhook keeps that decodes pods into types from before Kubernetes 1.34,
// `/first` and `/last` put the native proxy that an annotation of the pod holds at that end of the init containers. The argument is the
// path at which the injector answers.
import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:https'

const read = async (stream) => Buffer.concat(await stream.toArray())

// Whether the certificate is the injector's own is not what is tested here.
const toInjector = {
  host: 'akv-injector.akv-injector-system.svc',
  path: process.argv[2],
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

function addContainer({ spec }) {
  const { image, securityContext } = spec.containers[0]
  const proxy = { name: 'proxy', image, command: ['sleep', '3600'], securityContext }
  return spec.containers.some(({ name }) => name === 'proxy')
    ? []
    : [{ op: 'add', path: '/spec/containers/-', value: proxy }]
}

function addProxy({ metadata, spec }, path) {
  const proxy = JSON.parse(metadata.annotations['mesh.example.com/proxy'])
  const { initContainers = [] } = spec
  if (initContainers.some(({ name }) => name === proxy.name)) return []
  const value = path === '/first' ? [proxy, ...initContainers] : [...initContainers, proxy]
  return [{ op: 'add', path: '/spec/initContainers', value }]
}

function ask({ metadata }) {
  const asking = { 'azure.keyvault.injector/vault': 'my-kv', 'azure.keyvault.injector/objects': 'db-password' }
  const annotations = { ...metadata.annotations, ...asking }
  const asks = metadata.annotations?.['azure.keyvault.injector/objects'] !== undefined
  return asks ? [] : [{ op: 'add', path: '/metadata/annotations', value: annotations }]
}

/** The sources of a variable in k8s.io/api v0.31. */
const oldSources = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef']

function decodeIntoOldTypes({ metadata, spec }) {
  const old = (container) => ({
    ...container,
    ...(container.env && {
      env: container.env.map(({ valueFrom, ...rest }) =>
        valueFrom
          ? {
              ...rest,
              valueFrom: Object.fromEntries(Object.entries(valueFrom).filter(([key]) => oldSources.includes(key))),
            }
          : rest,
      ),
    }),
  })
  const seen = Number(metadata.annotations?.['mesh.example.com/seen'] ?? 0)
  return [
    { op: 'add', path: '/metadata/annotations/mesh.example.com~1seen', value: `${seen + 1}` },
    { op: 'replace', path: '/spec/containers', value: spec.containers.map(old) },
    ...(spec.initContainers
      ? [{ op: 'replace', path: '/spec/initContainers', value: spec.initContainers.map(old) }]
      : []),
  ]
}

const answer = (review, operations) => ({
  apiVersion: review.apiVersion,
  kind: review.kind,
  response: {
    uid: review.request.uid,
    allowed: true,
    ...(operations.length > 0 ? { patchType: 'JSONPatch', patch: btoa(JSON.stringify(operations)) } : {}),
  },
})

const folder = import.meta.dirname
createServer(
  { cert: readFileSync(`${folder}/tls.crt`), key: readFileSync(`${folder}/tls.key`) },
  async (incoming, outgoing) => {
    const body = await read(incoming)
    const review = JSON.parse(body)
    if (incoming.url.startsWith('/capture')) {
      const response = await forward(body)
      console.log(JSON.stringify({ request: review, response: JSON.parse(response) }))
      outgoing.end(response)
    } else {
      const path = incoming.url.split('?')[0]
      const change =
        { '/ask': ask, '/old-types': decodeIntoOldTypes, '/first': addProxy, '/last': addProxy }[path] ?? addContainer
      outgoing.end(JSON.stringify(answer(review, change(review.request.object, path))))
    }
  },
).listen(8443)
