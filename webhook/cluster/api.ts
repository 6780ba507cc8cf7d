import http, { type IncomingMessage } from 'node:http'
import https, { type RequestOptions } from 'node:https'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { KubeConfig } from '@kubernetes/client-node'

/** A request of the API server; its answer is JSON. */
export interface ApiRequest {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH'
  /** With its query, such as `/api/v1/namespaces/shop`. */
  path: string
  /** Which form of the objects: whole, metadata only, a table. */
  accept?: string
  contentType?: string
  body?: unknown
  signal?: AbortSignal
}

/** The API server refused or failed. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  /** The API server's own sentence, where it said one. */
  readonly said: string

  constructor(status: number, message: string, said = '') {
    super(message)
    this.status = status
    this.said = said
  }
}

/** What is used of the Kubernetes API: plain requests, and answers that go on. Rejections say which request and why. */
export interface Api {
  /** @throws ApiError for every status but 2xx */
  call(request: ApiRequest): Promise<unknown>
  /** Gives each line of the answer as JSON, until the server or the signal ends it. */
  follow(request: ApiRequest, each: (item: unknown) => void): Promise<void>
}

/** Metadata is all that is cached: a tenth of the bytes of whole objects. {@link https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables} */
const as = (kind: string): string => `application/json;as=${kind};v=v1;g=meta.k8s.io`
export const accept = {
  metadata: as('PartialObjectMetadata'),
  metadataList: as('PartialObjectMetadataList'),
  table: as('Table'),
} as const

/**
 * The API through one agent that keeps connections. The generated client makes a connection for each request and reads every
 * object into classes; admission needs neither.
 */
export function kubernetesApi(kubeConfig: KubeConfig): Api {
  const server = new URL(kubeConfig.getCurrentCluster()?.server ?? 'https://kubernetes.default.svc')
  const { Agent, request } = server.protocol === 'http:' ? http : https
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 4, timeout: 300_000 })

  async function send({
    method = 'GET',
    path,
    accept,
    contentType,
    body,
    signal,
  }: ApiRequest): Promise<IncomingMessage> {
    const options: RequestOptions = { method, headers: {} }
    // Reads a ServiceAccount's token anew when it has been renewed.
    await kubeConfig.applyToHTTPSOptions(options)
    options.agent = agent
    options.headers = {
      ...options.headers,
      accept: accept ?? 'application/json',
      ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
    }
    if (signal !== undefined) options.signal = signal
    const url = new URL(server.pathname.replace(/\/$/, '') + path, server)
    return new Promise((resolve, reject) => {
      const sent = request(url, options, resolve).on('error', reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  const nameOf = ({ method = 'GET', path }: ApiRequest): string => `${method} ${path.split('?')[0]}`

  /** Says of a failure which request it is of. */
  const failed = (asked: ApiRequest) => (cause: unknown) => {
    const reason = asked.signal?.aborted === true ? 'no answer in time' : (cause as Error).message
    throw new Error(`${nameOf(asked)}: ${reason}`, { cause })
  }

  async function begin(asked: ApiRequest): Promise<IncomingMessage> {
    const what = nameOf(asked)
    const response = await send(asked).catch(failed(asked))
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) return response
    const message = sentence(await text(response).catch(() => ''))
    throw new ApiError(status, `${what}: ${status}${message === '' ? '' : ` ${message}`}`, message)
  }

  return {
    async call(asked) {
      const response = await begin(asked)
      return text(response)
        .then((body) => JSON.parse(body) as unknown)
        .catch(failed(asked))
    },
    async follow(asked, each) {
      const response = await begin(asked)
      for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
        if (line !== '') each(JSON.parse(line))
      }
    },
  }
}

/** The sentence in a Status, or nothing. */
function sentence(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown }
    return typeof message === 'string' ? message : ''
  } catch {
    return ''
  }
}
