import type { PipelinePolicy, PipelineRequest, PipelineResponse, SendRequest } from '@azure/core-rest-pipeline'
import { readBody } from '../http-answer.ts'
import { currentOperation, type Operation } from './operation.ts'

export interface WireOptions {
  /** A token in place of a refused one, if there is one. */
  renew: (refused: string) => Promise<string | undefined>
  /** Called before a request is sent again because its idle connection proved dead. */
  onStale: () => void
  /** Called when a request without a token was sent, whose answer says which token the vault wants. */
  onAnonymous: () => void
}

/** Thrown for a link that is not followed; says why. */
export class LinkRefused extends Error {
  override name = 'LinkRefused'
  readonly code: 'NextLinkRefused' | 'TooManyPages'

  constructor(message: string, code: LinkRefused['code'] = 'NextLinkRefused') {
    super(message)
    this.code = code
  }
}

/**
 * The first policy, before the SDK's authentication, which refuses links to other origins too, but with an error that does not say
 * that a link was the reason. Lets no request (and so no token) leave the vault.
 * @param origin the vault's scheme, host and port
 */
export const createLinkPolicy = (origin: string): PipelinePolicy => ({
  name: 'akvInjectorLinkPolicy',
  async sendRequest(request, next) {
    const operation = operationOf()
    const { url } = request
    checkLink(url, origin, operation)
    const response = await next(request)
    if (response.status === 200) operation.pages.add(url)
    return response
  },
})

function operationOf(): Operation {
  const operation = currentOperation()
  if (!operation) throw new Error('a request outside of an operation')
  return operation
}

/**
 * The last policy before the wire, inside of the SDK's authentication and retries. It keeps each answer's status, headers and
 * text, since the SDK loses them on bodies that it does not expect; puts every request under its operation's signal; sends
 * again what a reused idle connection lost; replaces a refused token.
 */
export function createWirePolicy({ renew, onStale, onAnonymous }: WireOptions): PipelinePolicy {
  async function exchange(
    request: PipelineRequest,
    next: SendRequest,
    operation: Operation,
  ): Promise<PipelineResponse> {
    delete operation.wireError
    delete operation.answer
    operation.reused = false
    operation.requests++
    operation.onWire = true
    try {
      const response = await next(request)
      const text = await readBody(response.readableStreamBody as NodeJS.ReadableStream)
      operation.answer = { status: response.status, header: (name) => response.headers.get(name), text }
      return { request, status: response.status, headers: response.headers, bodyAsText: text }
    } catch (error) {
      operation.wireError = error
      throw error
    } finally {
      operation.onWire = false
    }
  }

  /** A vault that closes an idle connection as we begin to use it has not seen the request. */
  async function exchangeTwice(request: PipelineRequest, next: SendRequest, operation: Operation) {
    try {
      return await exchange(request, next, operation)
    } catch (error) {
      if (!operation.reused || operation.signal.aborted || !isReset(error)) throw error
      onStale()
      return exchange(request, next, operation)
    }
  }

  return {
    name: 'akvInjectorWirePolicy',
    async sendRequest(request, next) {
      const operation = operationOf()
      prepare(request, operation)
      const token = bearerOf(request)
      operation.authorized = token !== undefined
      if (token !== undefined && operation.refusal?.token === token) return operation.refusal.response
      const answered = exchangeTwice(request, next, operation)
      if (token === undefined) onAnonymous()
      let response = await answered
      if (response.status === 401 && token !== undefined) {
        const fresh = await renew(token)
        if (fresh !== undefined) {
          request.headers.set('authorization', `Bearer ${fresh}`)
          response = await exchangeTwice(request, next, operation)
        }
        // The SDK takes this 401 for another challenge and would send the same token once more.
        if (response.status === 401) operation.refusal = { token: fresh ?? token, response }
      }
      return response
    },
  }
}

function prepare(request: PipelineRequest, { signal }: Operation): void {
  request.abortSignal = signal
  // So that the body is read here: under a limit, and a connection cut in its middle is noticed at once.
  request.streamResponseStatusCodes = new Set([Infinity])
  request.headers.delete('accept-encoding')
}

function checkLink(link: string, origin: string, { collection, pages, maxPages }: Operation): void {
  const url = URL.parse(link)
  if (url?.origin !== origin) throw new LinkRefused(`it leads to ${url?.origin ?? 'no URL'}`)
  if (collection === undefined) return
  const path = url.pathname.toLowerCase().replace(/\/$/, '')
  if (path !== collection && !path.startsWith(`${collection}/`)) throw new LinkRefused('it leads to another collection')
  if (pages.has(link)) throw new LinkRefused('it leads to a page that was there before')
  if (pages.size >= maxPages) throw new LinkRefused(`there are more than ${maxPages} pages`, 'TooManyPages')
}

const bearerOf = (request: PipelineRequest) => /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]

const isReset = (error: unknown) => ['ECONNRESET', 'EPIPE'].includes((error as { code?: string }).code ?? '')
