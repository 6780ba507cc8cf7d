import { maxHeaderSize } from 'node:http'
import type { SecureContextOptions } from 'node:tls'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { limitConnections } from '../shared/connection-limits.ts'
import { parseDuration } from '../shared/duration.ts'
import type { Logger } from '../shared/log.ts'
import { passesOn } from './answer.ts'
import { boundedBodies } from './body.ts'
import { readReview } from './envelope.ts'
import type { OnLimited } from './limits.ts'
import { purposes, review, type Purpose, type ReviewContext } from './review.ts'
import { refuseStrangers, reviewPrefix, type Strangers } from './strangers.ts'

/** The API server keeps idle connections for 90 s; whoever closes first must not be the server, or a review is lost. */
const keepAliveTimeout = 120_000
/** The API server opens a connection for each review that it sends at the same time as others. */
const connections = { total: 300, perAddress: 250 }
/**
 * How long clients may take, in milliseconds: for the TLS handshake, a request's headers, and all of it. By default Node looks
 * every 30 s whether they did.
 */
const clientTimeouts = {
  handshakeTimeout: 5_000,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
}
/** A connection on which nothing moves for so long (milliseconds) does not read its answer. No review takes as long. */
const stalled = 40_000
/** What the API server allows a webhook unless it is told otherwise, and what is kept back for the way home. */
const defaultTimeout = 10_000
const reserve = 1_000

export interface AppOptions {
  tls: SecureContextOptions
  context: ReviewContext
  log: Logger
  readiness?: () => Readiness
  /** Who may ask: anyone, unless it is said. */
  strangers?: Strangers
  /** Reviews beyond so many at once are denied right away, with the advice to try again. */
  mostUnderWay?: number
  /** Prometheus' text format. */
  metrics?: () => Promise<{ contentType: string; text: string }>
  onLimited?: OnLimited
}

export interface Readiness {
  /** Why no review can be answered well; undefined where they can. */
  reason: string | undefined
  /** What a person should know all the same. */
  detail: string | undefined
}

export interface App {
  server: FastifyInstance
  /** From now on the server says that it is not ready and asks callers to leave, but answers as ever. */
  drain: () => void
}

/** The webhook's HTTPS server, not listening yet. */
export function buildApp(options: AppOptions): App {
  let draining = false
  const server = Fastify({
    https: { ...options.tls, ...clientTimeouts },
    keepAliveTimeout,
    connectionTimeout: stalled,
    requestTimeout: clientTimeouts.requestTimeout,
    logger: false,
    // As long as any path can be: one that is longer would be answered otherwise than those that do not exist.
    routerOptions: { maxParamLength: maxHeaderSize },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
  }) as unknown as FastifyInstance
  limitConnections(server.server, { ...connections, onClosed: () => options.onLimited?.('connections') })
  leaveBodies(server)
  server.setErrorHandler((error: FastifyError, request, reply) => sendError(error, request, reply, options.log))
  // Before any other hook: what follows costs something.
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
 * Bodies are read by the routes that need them. The library's own parser holds any number of them, and refuses keys such as
 * `__proto__`, which a label may well be.
 */
function leaveBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', (_request, _payload, done) => done(null))
}

function answerReviews(
  server: FastifyInstance,
  { context, mostUnderWay = 500, onLimited, strangers }: AppOptions,
): void {
  const bodies = boundedBodies({ onLimited })
  let underWay = 0
  const answer =
    (purpose: Purpose, reportOnly = purpose === 'report') =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const envelope = readReview(await bodies.read(request.raw, reply.raw))
      if (!envelope.ok) return reply.code(400).send({ code: 400, message: envelope.problems.join('; ') })
      // Not AbortSignal.timeout(), whose timer would hold on to the review for ten seconds.
      const giveUp = new AbortController()
      const timer = setTimeout(() => giveUp.abort(), timeLeft(request.query))
      underWay++
      try {
        const { signal } = giveUp
        const answered = await review(envelope.value, context, {
          purpose,
          reportOnly,
          signal,
          overloaded: underWay > mostUnderWay,
        })
        if (!passesOn(purpose, answered.response)) return answered
        return reply.code(503).send({ code: 503, message: answered.response.status?.message })
      } finally {
        underWay--
        clearTimeout(timer)
      }
    }
  const prefix = reviewPrefix(strangers ?? { segments: undefined })
  for (const purpose of purposes) server.post(`${prefix}/${purpose}`, answer(purpose))
  // Workloads in namespaces that are only reported on.
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

/** Milliseconds until the API server gives up, which says `?timeout=10s`, less what the way home takes. */
export function timeLeft(query: unknown): number {
  const { timeout } = (query ?? {}) as { timeout?: unknown }
  const parsed = typeof timeout === 'string' ? parseDuration(timeout) : undefined
  const allowed = parsed?.ok ? Math.min(parsed.value, 30_000) : defaultTimeout
  return Math.max(500, allowed - reserve)
}

function sendError(error: FastifyError, request: FastifyRequest, reply: FastifyReply, log: Logger) {
  const code = error.statusCode ?? 500
  const message = explain(error, request)
  // The route's, not the request's: a log must not show the segment that callers know.
  const path = request.routeOptions.url
  if (code >= 500) log.error({ err: error, path }, 'request failed')
  else log.warn({ code, path, reason: message }, 'request refused')
  return reply.code(code).send({ code, message })
}

function explain(error: FastifyError, request: FastifyRequest): string {
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return `content type ${JSON.stringify(request.headers['content-type'] ?? '')} is not taken: send application/json`
    default:
      return (error.statusCode ?? 500) < 500 ? error.message : 'the webhook failed; its log says more'
  }
}
