import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Who may ask for a review. */
export interface Strangers {
  /** What may stand before an entry's own path (`/guard`); absent if paths have no segment before them. */
  segments: ((path: string) => readonly string[]) | undefined
  /** Called for each request that is turned away, for metrics. */
  refused?: (() => void) | undefined
}

const prefix = '/:segment'

/** The routes of reviews begin with this. */
export const reviewPrefix = ({ segments }: Pick<Strangers, 'segments'>): string => (segments ? prefix : '')

/**
 * Turns away whoever does not know the path: 404 before a byte of the body is read, whether the path does not exist or its segment
 * is wrong. A connection with a body still to come is closed, or the server would have to read the body to get past it.
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

/** Takes as long for a near miss as for any other: digests are of one length, and each is compared. */
function isOneOf(text: string, segments: readonly string[]): boolean {
  const digest = digestOf(text)
  return segments.map((one) => timingSafeEqual(digestOf(one), digest)).includes(true)
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest()
