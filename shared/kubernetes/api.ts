import http, { type IncomingMessage } from 'node:http'
import https, { type RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import { readFields, type FieldReaderOptions, type Fields, type OnValue } from './json-fields.ts'

/** A request to the API server; its response is JSON. */
export interface ApiRequest {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH'
  /** With its query, such as `/api/v1/namespaces/shop`. */
  path: string
  /** The form of the objects: complete, metadata only, or a table. */
  accept?: string
  contentType?: string
  body?: unknown
  signal?: AbortSignal
  /** The fields to keep of the response, or of each item or event in it; all by default. */
  fields?: Fields
  /** Limit in bytes of JSON to keep of the response, or of each item or event in it. */
  limit?: number
}

/** A request for a list, whose `items` are passed one by one and are not part of the result. */
export interface ListRequest extends ApiRequest {
  onItem: OnValue
}

/** The API server responded with an error. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  /** The API server's message, if there is one. */
  readonly said: string

  constructor(status: number, message: string, said = '') {
    super(message)
    this.status = status
    this.said = said
  }
}

/** A response has more bytes than its reader accepts. */
export class TooLargeError extends Error {
  override name = 'TooLargeError'
}

/** The Kubernetes API: plain requests and watches. Errors name the request and the reason. */
export interface Api {
  /** @throws ApiError for every status except 2xx; TooLargeError if the requested fields exceed the limit */
  call(request: ApiRequest | ListRequest): Promise<unknown>
  /** Passes each value of the response, until the server or the signal ends it. Fields beyond the limit are null. */
  follow(request: ApiRequest, each: OnValue): Promise<void>
}

/** The etcd of a cluster takes objects of 1.5 MiB. {@link https://etcd.io/docs/latest/dev-guide/limit/} */
const mostBytes = 4 * 1024 * 1024
/** A Status with the reason of a failure, which may quote a part of the request. */
const mostBytesOfFailure = 64 * 1024

/** Metadata is all that is cached: a tenth of the bytes of whole objects. {@link https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables} */
const as = (kind: string): string => `application/json;as=${kind};v=v1;g=meta.k8s.io`
export const accept = {
  metadata: as('PartialObjectMetadata'),
  metadataList: as('PartialObjectMetadataList'),
  table: as('Table'),
} as const

/**
 * Creates a client with one agent that keeps connections. The generated client opens a connection for each request and converts every object
 * into classes; admission needs neither.
 */
export function createKubernetesApi(kubeConfig: KubeConfig): Api {
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
    // Rereads the ServiceAccount's token after it was renewed.
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

  /** Adds the request to the message of a failure. */
  const failed = (apiRequest: ApiRequest) => (cause: unknown) => {
    const reason = apiRequest.signal?.aborted === true ? 'no answer in time' : (cause as Error).message
    throw new Error(`${nameOf(apiRequest)}: ${reason}`, { cause })
  }

  async function begin(apiRequest: ApiRequest): Promise<IncomingMessage> {
    const what = nameOf(apiRequest)
    const response = await send(apiRequest).catch(failed(apiRequest))
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) return response
    const message = await sentence(response)
    throw new ApiError(status, `${what}: ${status}${message === '' ? '' : ` ${message}`}`, message)
  }

  return {
    async call(apiRequest) {
      const response = await begin(apiRequest)
      const items = 'onItem' in apiRequest ? { items: 'items', onItem: apiRequest.onItem } : {}
      let answer: { value: unknown; isCut: boolean } | undefined
      const onValue: OnValue = (value, isCut) => (answer ??= { value, isCut })
      await read(response, { ...boundsOf(apiRequest), ...items, onValue }).catch(failed(apiRequest))
      if (answer === undefined) throw new Error(`${nameOf(apiRequest)}: the response is incomplete`)
      if (answer.isCut) throw new TooLargeError(`${nameOf(apiRequest)}: the response is too large`)
      return answer.value
    },
    async follow(apiRequest, each) {
      await read(await begin(apiRequest), { ...boundsOf(apiRequest), onValue: each })
    },
  }
}

const boundsOf = ({ fields = true, limit = mostBytes }: ApiRequest) => ({ fields, limit })

async function read(response: IncomingMessage, options: FieldReaderOptions): Promise<void> {
  const push = readFields(options)
  for await (const chunk of response as AsyncIterable<Buffer>) push(chunk)
}

/** Returns the message of a Status; empty if there is none. */
async function sentence(response: IncomingMessage): Promise<string> {
  let message: unknown
  const onValue: OnValue = (status) => (message ??= (status as { message?: unknown } | null)?.message)
  await read(response, { fields: { message: true }, limit: mostBytesOfFailure, onValue }).catch(() => undefined)
  return typeof message === 'string' ? message : ''
}
