import http, { type IncomingMessage } from 'node:http'
import https, { type RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import { readFields, type FieldReaderOptions, type Fields, type OnValue } from './json-fields.ts'

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
  /** What is kept of the answer, or of each item or event in it; all of it by default. */
  fields?: Fields
  /** Bytes of JSON that are kept of the answer, or of each item or event in it. */
  limit?: number
}

/** A request for a list, whose `items` are given one by one and are not part of the answer. */
export interface ListRequest extends ApiRequest {
  onItem: OnValue
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

/** An answer holds more bytes than its reader takes. */
export class TooLargeError extends Error {
  override name = 'TooLargeError'
}

/** What is used of the Kubernetes API: plain requests, and answers that go on. Rejections say which request and why. */
export interface Api {
  /** @throws ApiError for every status but 2xx; TooLargeError if what is wanted of the answer exceeds the limit */
  call(request: ApiRequest | ListRequest): Promise<unknown>
  /** Gives each value of the answer, until the server or the signal ends it. What exceeds the limit in it is null. */
  follow(request: ApiRequest, each: OnValue): Promise<void>
}

/** The etcd of a cluster takes objects of 1.5 MiB. {@link https://etcd.io/docs/latest/dev-guide/limit/} */
const mostBytes = 4 * 1024 * 1024
/** A Status says why a request failed, with what failed as a part of the sentence. */
const mostBytesOfFailure = 64 * 1024

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
    const message = await sentence(response)
    throw new ApiError(status, `${what}: ${status}${message === '' ? '' : ` ${message}`}`, message)
  }

  return {
    async call(asked) {
      const response = await begin(asked)
      const items = 'onItem' in asked ? { items: 'items', onItem: asked.onItem } : {}
      let answer: { value: unknown; isCut: boolean } | undefined
      const onValue: OnValue = (value, isCut) => (answer ??= { value, isCut })
      await read(response, { ...boundsOf(asked), ...items, onValue }).catch(failed(asked))
      if (answer === undefined) throw new Error(`${nameOf(asked)}: the answer is not complete`)
      if (answer.isCut) throw new TooLargeError(`${nameOf(asked)}: the answer is too large to be read`)
      return answer.value
    },
    async follow(asked, each) {
      await read(await begin(asked), { ...boundsOf(asked), onValue: each })
    },
  }
}

const boundsOf = ({ fields = true, limit = mostBytes }: ApiRequest) => ({ fields, limit })

async function read(response: IncomingMessage, options: FieldReaderOptions): Promise<void> {
  const push = readFields(options)
  for await (const chunk of response as AsyncIterable<Buffer>) push(chunk)
}

/** The sentence in a Status, or nothing. */
async function sentence(response: IncomingMessage): Promise<string> {
  let message: unknown
  const onValue: OnValue = (status) => (message ??= (status as { message?: unknown } | null)?.message)
  await read(response, { fields: { message: true }, limit: mostBytesOfFailure, onValue }).catch(() => undefined)
  return typeof message === 'string' ? message : ''
}
