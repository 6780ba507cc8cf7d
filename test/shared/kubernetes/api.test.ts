import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { KubeConfig } from '@kubernetes/client-node'
import t, { type Test } from 'tap'
import { accept, ApiError, createKubernetesApi } from '../../../shared/kubernetes/api.ts'
import { certificateFolder } from '../../support/server-certificate.ts'

async function serve(t: Test, listener: RequestListener) {
  const { cert, key } = certificateFolder(t)
  const server = createServer({ cert, key }, listener).listen(0, 'localhost')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromClusterAndUser(
    {
      name: 'c',
      server: `https://localhost:${(server.address() as AddressInfo).port}/base`,
      caData: Buffer.from(cert).toString('base64'),
      skipTLSVerify: false,
    },
    { name: 'u', token: 'the-token' },
  )
  return createKubernetesApi(kubeConfig)
}

void t.test('Kubernetes API: a request has the token, the accepted form and the path, and JSON is read', async (t) => {
  const seen: unknown[] = []
  const api = await serve(t, (request, response) => {
    const { authorization, accept } = request.headers
    seen.push([request.method, request.url, authorization, accept])
    response.end('{"kind":"X"}')
  })
  t.strictSame(await api.call({ path: '/api/v1/pods?limit=1', accept: accept.metadataList }), { kind: 'X' })
  t.strictSame(seen, [
    [
      'GET',
      '/base/api/v1/pods?limit=1',
      'Bearer the-token',
      'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
    ],
  ])
})

void t.test('Kubernetes API: a body is sent as JSON', async (t) => {
  const bodies: string[] = []
  const api = await serve(t, (request, response) => {
    void text(request).then((body) => {
      bodies.push(`${request.method} ${request.headers['content-type']} ${body}`)
      response.writeHead(201).end('{}')
    })
  })
  await api.call({ method: 'POST', path: '/x', body: { a: 1 } })
  await api.call({ method: 'PATCH', path: '/x', body: [], contentType: 'application/merge-patch+json' })
  t.strictSame(bodies, ['POST application/json {"a":1}', 'PATCH application/merge-patch+json []'])
})

void t.test('Kubernetes API: an error names the request and the reason', async (t) => {
  const api = await serve(t, (request, response) => {
    response.writeHead(403).end(request.url?.includes('plain') ? '<html>' : '{"message":"namespaces is forbidden"}')
  })
  await t.rejects(
    api.call({ path: '/a?limit=5' }),
    new ApiError(403, 'GET /a: 403 namespaces is forbidden', 'namespaces is forbidden'),
  )
  await t.rejects(api.call({ path: '/plain' }), new ApiError(403, 'GET /plain: 403'))
})

void t.test('Kubernetes API: a request without an answer times out', async (t) => {
  const api = await serve(t, () => {})
  await t.rejects(api.call({ path: '/slow', signal: AbortSignal.timeout(50) }), /^GET \/slow: no answer in time/)
})

void t.test('Kubernetes API: an incomplete answer and a broken connection have different messages', async (t) => {
  const api = await serve(t, (request, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('{"half":')
    if (request.url?.includes('cut')) setTimeout(() => response.destroy(), 10)
  })
  await t.rejects(api.call({ path: '/slow', signal: AbortSignal.timeout(100) }), /^GET \/slow: no answer in time/)
  await t.rejects(api.call({ path: '/cut' }), /^GET \/cut: aborted/)
})

void t.test('Kubernetes API: a watch whose connection breaks ends with an error', async (t) => {
  const api = await serve(t, (_request, response) => {
    response.write('{"type":"ADDED"}\n{"type":')
    setTimeout(() => response.destroy(), 10)
  })
  const items: unknown[] = []
  await t.rejects(api.follow({ path: '/cut' }, (item) => items.push(item)))
  t.strictSame(items, [{ type: 'ADDED' }])
})

void t.test('Kubernetes API: a watch is read line by line until it ends or is aborted', async (t) => {
  const api = await serve(t, (request, response) => {
    response.write('{"type":"ADDED"}\n{"type":')
    setTimeout(() => {
      response.write('"DELETED"}\n')
      if (request.url?.includes('ends')) response.end()
    }, 10)
  })
  const items: unknown[] = []
  await api.follow({ path: '/ends' }, (item) => items.push(item))
  t.strictSame(items, [{ type: 'ADDED' }, { type: 'DELETED' }])
  const controller = new AbortController()
  await t.rejects(api.follow({ path: '/stays', signal: controller.signal }, () => controller.abort()))
})
