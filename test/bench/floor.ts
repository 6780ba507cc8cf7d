/**
 * The floor of the webhook's figures: an HTTPS route of the same framework that reads a body without looking at it and sends
 * one of the length that it is told. Its first message is a {@link FloorJob}; it answers with its port, and ends with its parent.
 */
import fastify from 'fastify'
import type { AddressInfo } from 'node:net'

export interface FloorJob {
  cert: string
  key: string
  /** Bytes to send. */
  answer: number
}

process.once('disconnect', () => process.exit())
process.once('message', ({ cert, key, answer }: FloorJob) => {
  void start(cert, key, 'x'.repeat(answer)).then((port) => process.send?.({ port }))
})

async function start(cert: string, key: string, answer: string): Promise<number> {
  const app = fastify({ https: { cert, key }, logger: false })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.post('/', (_request, reply) => reply.type('application/json').send(answer))
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}
