import { maxHeaderSize } from 'node:http'
import type { SecureContextOptions } from 'node:tls'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { parseDuration } from '../shared/duration.ts'
import type { Logger } from '../shared/log.ts'
import { isRetriable } from './review/decision.ts'
import { createBodyReader } from './request/body.ts'
import { createBoundedServer } from './request/https-server.ts'
import { readReview } from './review/admission-review.ts'
import type { OnLimited } from './limits.ts'
import { review } from './review/review.ts'
import { type ReviewContext } from './review/lookups.ts'
import { type Purpose } from './review/decision.ts'
import { purposes } from './review/decision.ts'
import { refuseStrangers, reviewPrefix, type Strangers } from './request/path-segment.ts'

/** The API server's default timeout for webhooks, and the part of it that is reserved for sending the response, in milliseconds. */
const defaultTimeout = 10_000
const reserve = 1_000

export interface AppOptions {
  tls: SecureContextOptions
  context: ReviewContext
  log: Logger
  readiness?: () => Readiness
  /** Who may send reviews; anyone by default. */
  strangers?: Strangers
  /** If more reviews than this are under way, further ones are denied at once. */
  mostUnderWay?: number
  /** Returns Prometheus' text format. */
  metrics?: () => Promise<{ contentType: string; text: string }>
  onLimited?: OnLimited
}

export interface Readiness {
  /** Why reviews cannot be answered; undefined if they can. */
  reason: string | undefined
  /** What an administrator should know even if the webhook is ready. */
  detail: string | undefined
}

export interface App {
  server: FastifyInstance
  /** Makes the server report that it is not ready and close connections after each response; it still answers. */
  drain: () => void
}

/** Creates the webhook's HTTPS server, which does not listen yet. */
export function createApp(options: AppOptions): App {
  let draining = false
  const server = Fastify({
    serverFactory: (handle) => createBoundedServer(options.tls, handle, options.onLimited),
    logger: false,
    // As long as a path can be, so that long paths get the same answer as others that do not exist.
    routerOptions: { maxParamLength: maxHeaderSize },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
  }) as unknown as FastifyInstance
  leaveBodies(server)
  server.setErrorHandler((error: FastifyError, request, reply) => sendError(error, request, reply, options.log))
  // Before any other hook, because the others cost more.
  refuseStrangers(server, options.strangers ?? { segments: undefined })
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (draining) reply.header('connection', 'close')
    done()
  })
  answerReviews(server, options)
  answerProbes(server, options, () => draining)
  return { server, drain: () => (draining = true) }
}

/**
 * Leaves reading bodies to the routes that need them. The library's parser would hold any number of them, and rejects keys such as
 * `__proto__`, which a label may have.
 */
function leaveBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', (_request, _payload, done) => done(null))
}

function answerReviews(
  server: FastifyInstance,
  { context, mostUnderWay = 500, onLimited, strangers }: AppOptions,
): void {
  const bodies = createBodyReader({ onLimited })
  let underWay = 0
  const answer =
    (purpose: Purpose, reportOnly = purpose === 'report') =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const envelope = readReview(await bodies.read(request.raw, reply.raw))
      if (!envelope.ok) return reply.code(400).send({ code: 400, message: envelope.problems.join('; ') })
      // Not AbortSignal.timeout(), whose timer would keep the review in memory for ten seconds.
      const giveUp = new AbortController()
      const timer = setTimeout(() => giveUp.abort(), timeLeft(request.query))
      underWay++
      try {
        const { signal } = giveUp
        const answered = await review(envelope.value, context, {
          purpose,
          reportOnly,
          signal,
          overloadedAt: underWay > mostUnderWay ? mostUnderWay : undefined,
        })
        if (!isRetriable(purpose, answered.response)) return answered
        return reply.code(503).send({ code: 503, message: answered.response.status?.message })
      } finally {
        underWay--
        clearTimeout(timer)
      }
    }
  const prefix = reviewPrefix(strangers ?? { segments: undefined })
  for (const purpose of purposes) server.post(`${prefix}/${purpose}`, answer(purpose))
  // Workloads in namespaces with the label value `report`.
  server.post(`${prefix}/report/validate`, answer('validate', true))
}

function answerProbes(server: FastifyInstance, { readiness, metrics }: AppOptions, draining: () => boolean): void {
  server.get('/livez', async () => ({ live: true }))
  server.get('/readyz', async (_request, reply) => {
    const { reason, detail } = readiness?.() ?? {}
    const why = draining() ? 'shutting down' : reason
    return reply.code(why === undefined ? 200 : 503).send({ ready: why === undefined, reason: why, detail })
  })
  server.get('/metrics', async (_request, reply) => {
    const { contentType, text } = (await metrics?.()) ?? { contentType: 'text/plain', text: '' }
    return reply.type(contentType).send(text)
  })
}

/** Returns the milliseconds until the API server gives up (`?timeout=10s`), minus the reserve for sending the response. */
export function timeLeft(query: unknown): number {
  const { timeout } = (query ?? {}) as { timeout?: unknown }
  const parsed = typeof timeout === 'string' ? parseDuration(timeout) : undefined
  const allowed = parsed?.ok ? Math.min(parsed.value, 30_000) : defaultTimeout
  return Math.max(500, allowed - reserve)
}

function sendError(error: FastifyError, request: FastifyRequest, reply: FastifyReply, log: Logger) {
  const code = error.statusCode ?? 500
  const message = explain(error, request)
  // The route's path, because a log must not show the secret segment of the request's.
  const path = request.routeOptions.url
  if (code >= 500) log.error({ err: error, path }, 'request failed')
  else log.warn({ code, path, reason: message }, 'request refused')
  return reply.code(code).send({ code, message })
}

function explain(error: FastifyError, request: FastifyRequest): string {
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return `content type ${JSON.stringify(request.headers['content-type'] ?? '')} is not supported: send application/json`
    default:
      return (error.statusCode ?? 500) < 500 ? error.message : 'the webhook failed; see its log'
  }
}
