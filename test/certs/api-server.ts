// As much of a Kubernetes API server as the certificates need, over real HTTP: get, watch by name, update, strategic merge patch of
// webhooks, resource versions and generations as the real one counts them, and faults on request.
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { KubeConfig } from '@kubernetes/client-node'
import type { Api } from '../../shared/kubernetes/responses.ts'
import { createKubernetesApi } from '../../shared/kubernetes/api.ts'

interface Webhook {
  name: string
  clientConfig: { caBundle?: string; service?: { namespace: string; name: string; path?: string } }
}

export interface StoredObject {
  kind: string
  metadata: { name: string; uid: string; resourceVersion: string; generation?: number; [field: string]: unknown }
  data?: Record<string, string>
  webhooks?: Webhook[]
  [field: string]: unknown
}

interface Fault {
  status?: number
  /** never answers */
  hang?: boolean
}

export interface ApiServer {
  /** a client of it */
  client: Api
  /** by path */
  objects: Map<string, StoredObject>
  /** method and path of every request, watches as `WATCH` with their query */
  requests: string[]
  /** asked before each request is served */
  fault: (request: string) => Fault | undefined
  put(path: string, object: Record<string, unknown>): void
  remove(path: string): void
  /** ends all open watches in the middle of things */
  breakWatches(): void
  watches(): number
  close(): Promise<void>
}

export async function startApiServer(): Promise<ApiServer> {
  const objects = new Map<string, StoredObject>()
  const requests: string[] = []
  const watchers = new Set<{ path: string; response: http.ServerResponse }>()
  let version = 100
  const server = http.createServer((request, response) => void handle(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromClusterAndUser(
    { name: 'test', server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, skipTLSVerify: true },
    { name: 'test', token: 'token' },
  )

  const api: ApiServer = {
    client: createKubernetesApi(kubeConfig),
    objects,
    requests,
    fault: () => undefined,
    put(path, object) {
      store(path, object, objects.has(path) ? 'MODIFIED' : 'ADDED')
    },
    remove(path) {
      const object = objects.get(path)!
      objects.delete(path)
      announce('DELETED', path, { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } })
    },
    breakWatches() {
      for (const { response } of watchers) response.destroy()
    },
    watches: () => watchers.size,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return api

  function store(path: string, object: Partial<StoredObject>, type: 'ADDED' | 'MODIFIED'): StoredObject {
    const before = objects.get(path)
    const changed = JSON.stringify(before?.webhooks) !== JSON.stringify(object.webhooks)
    const generation = (before?.metadata.generation ?? 0) + (changed ? 1 : 0)
    const stored = {
      kind: '',
      ...object,
      metadata: {
        ...object.metadata,
        uid: before?.metadata.uid ?? `uid of ${++version}`,
        name: path.split('/').at(-1)!,
        resourceVersion: String(++version),
        ...(object.webhooks && { generation }),
      },
    }
    objects.set(path, stored)
    announce(type, path, stored)
    return stored
  }

  function announce(type: string, path: string, object: StoredObject): void {
    for (const watcher of watchers) {
      if (watcher.path === path) watcher.response.write(`${JSON.stringify({ type, object })}\n`)
    }
  }

  async function handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost')
    const watching = searchParams.get('watch') === 'true'
    const line = `${watching ? 'WATCH' : request.method} ${pathname}${watching ? `?${searchParams.get('fieldSelector')}` : ''}`
    requests.push(line)
    const fault = api.fault(line)
    if (fault?.hang) return
    if (fault?.status) return answer(response, fault.status, status(fault.status, `${line} was refused`))
    if (watching) return watch(pathname, searchParams.get('fieldSelector'), response)
    const object = objects.get(pathname)
    if (!object) return answer(response, 404, status(404, `${pathname} not found`))
    if (request.method === 'GET') return answer(response, 200, object)
    const body = JSON.parse(await text(request)) as Partial<StoredObject>
    if (body.metadata?.resourceVersion !== object.metadata.resourceVersion) {
      return answer(response, 409, status(409, 'the object has been modified'))
    }
    if (request.method === 'PUT') return answer(response, 200, store(pathname, body, 'MODIFIED'))
    if (request.headers['content-type'] !== 'application/strategic-merge-patch+json') {
      return answer(response, 415, status(415, 'unsupported media type'))
    }
    return answer(
      response,
      200,
      store(pathname, { ...object, webhooks: merged(object.webhooks!, body.webhooks!) }, 'MODIFIED'),
    )
  }

  function watch(collection: string, selector: string | null, response: http.ServerResponse): void {
    const name = /^metadata\.name=(.+)$/.exec(selector ?? '')?.[1]
    if (!name) return answer(response, 403, status(403, 'watching all of them is forbidden'))
    const watcher = { path: `${collection}/${name}`, response }
    watchers.add(watcher)
    response.on('close', () => watchers.delete(watcher))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    const object = objects.get(watcher.path)
    if (object) response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`)
  }
}

/** What strategic merge does to a list of webhooks, whose merge key is the name. */
function merged(webhooks: Webhook[], patch: Webhook[]): Webhook[] {
  return webhooks.map((webhook) => {
    const change = patch.find(({ name }) => name === webhook.name)
    if (!change) return webhook
    const { service } = webhook.clientConfig
    const merged = { ...webhook.clientConfig, ...change.clientConfig }
    return { ...webhook, clientConfig: { ...merged, ...(service && { service: { ...service, ...merged.service } }) } }
  })
}

function status(code: number, message: string) {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code }
}

function answer(response: http.ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
