import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Who may send reviews. */
export interface Strangers {
  /** Returns the accepted segments before an entry's path (`/guard`); absent if paths have no segment. */
  segments: ((path: string) => readonly string[]) | undefined
  /** Called for each rejected request, for metrics. */
  refused?: (() => void) | undefined
}

const prefix = '/:segment'

/** Returns the prefix of the review routes. */
export const reviewPrefix = ({ segments }: Pick<Strangers, 'segments'>): string => (segments ? prefix : '')

/**
 * Rejects callers that do not know the path: 404 before a byte of the body is read, whether the path does not exist or its segment is wrong. A
 * connection with a body is closed, because the server would otherwise have to read the body.
 */
export function refuseStrangers(server: FastifyInstance, { segments, refused }: Strangers): void {
  server.addHook('onRequest', (request, reply, done) => {
    const { segment } = (request.params ?? {}) as { segment?: string }
    const isInvited = segments === undefined || segment === undefined || isOneOf(segment, segments(ownPath(request)))
    if (!request.is404 && isInvited) return done()
    refused?.()
    refuse(request, reply)
  })
}

const ownPath = ({ routeOptions: { url = '' } }: FastifyRequest): string => url.slice(prefix.length)

function refuse(request: FastifyRequest, reply: FastifyReply): void {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
  if (length !== '0' || encoding !== undefined) reply.header('connection', 'close')
  const message = `there is nothing at ${request.method} ${request.url.slice(0, 200)}`
  void reply.code(404).send({ code: 404, message })
}

/** Takes the same time for every wrong segment: digests have one length, and each is compared. */
function isOneOf(text: string, segments: readonly string[]): boolean {
  const digest = digestOf(text)
  return segments.map((one) => timingSafeEqual(digestOf(one), digest)).includes(true)
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest()
