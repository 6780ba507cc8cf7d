import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Test } from 'tap'

/** An object's JSON in pieces, so that the test never holds what the webhook must not hold either. */
type Pieces = Iterable<string>

/** Collections by path, each object by its index. */
export interface Collection {
  count: number
  object: (index: number) => Pieces
  /** Events of a watch, after which it stays open. */
  events?: () => Iterable<string>
}

export interface ApiServer {
  kubeconfig: string
  /** Requests so far. */
  requests: string[]
  /** Objects by path, beside those of the collections. */
  single: Map<string, string>
}

/** An API server whose objects tenants have made as large as they could. */
export async function startApiServer(
  t: Test,
  collections: Record<string, Collection>,
  singleOf: (path: string) => Pieces | undefined = () => undefined,
): Promise<ApiServer> {
  const requests: string[] = []
  const single = new Map<string, string>()
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://api')
    requests.push(`${request.method} ${request.url}`)
    request.resume()
    response.setHeader('content-type', 'application/json')
    void answer(pathname, searchParams, response)
  })

  async function answer(path: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const collection = collections[path]
    const found = collection === undefined ? (single.has(path) ? [single.get(path) ?? ''] : singleOf(path)) : undefined
    if (collection === undefined && found === undefined) {
      response.writeHead(404).end('{"kind":"Status","message":"not found"}')
    } else if (found !== undefined) await send(response, found, true)
    else if (query.has('watch')) {
      response.flushHeaders()
      await send(response, collection?.events?.() ?? [], false)
    } else await send(response, page(collection, query), true)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const kubeconfig = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'hostile',
    clusters: [{ name: 'hostile', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'hostile', user: {} }],
    contexts: [{ name: 'hostile', context: { cluster: 'hostile', user: 'hostile' } }],
  })
  return { kubeconfig, requests, single }
}

/** Ends early if the client has gone. */
const send = (response: ServerResponse, pieces: Pieces, ends: boolean): Promise<void> =>
  pipeline(Readable.from(pieces), response, { end: ends }).catch(() => undefined)

function* page({ count, object }: Collection = { count: 0, object: () => [] }, query: URLSearchParams): Pieces {
  const from = Number(query.get('continue') ?? 0)
  const to = Math.min(count, from + Number(query.get('limit') ?? count))
  yield `{"metadata":{"resourceVersion":"100"${to < count ? `,"continue":"${to}"` : ''}},"items":[`
  for (let index = from; index < to; index++) {
    if (index > from) yield ','
    yield* object(index)
  }
  yield ']}'
}

/** A string of so many characters in pieces of JSON, quotation marks included. */
export function* longText(length: number): Pieces {
  yield '"'
  for (let left = length; left > 0; left -= 60_000) yield 'x'.repeat(Math.min(left, 60_000))
  yield '"'
}

/** An object whose metadata is as given, but for one annotation of any length. */
export function* annotatedObject(metadata: object, annotation: string, length: number, rest = ''): Pieces {
  yield `{${rest}"metadata":${JSON.stringify(metadata).slice(0, -1)},"annotations":{"${annotation}":`
  yield* longText(length)
  yield '}}}'
}
