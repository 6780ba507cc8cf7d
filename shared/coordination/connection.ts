import { request } from 'node:https'
import type { Clock } from '../clock.ts'
import { isUntrusted } from '../untrusted.ts'
import { createEventReader } from './event-stream.ts'
import { parseEvent, type CoordinatorEvent } from './events.ts'
import { messageRate, sessionPath } from './limits.ts'
import { createBucket } from './rate.ts'

/** How a session ended. */
export interface ConnectionEnd {
  /** For the log. */
  reason: string
  /** The status of an answer other than 200. */
  status?: number
  /** How long the coordinator asked to wait, in milliseconds. */
  retryAfterMs?: number
  /** Whether there was no session because the coordinator's certificate is not trusted. */
  isUntrusted?: true
}

export interface ConnectionOptions {
  /** The coordinator's origin. */
  url: string
  /** PEM certificates to trust in place of the public ones. */
  caCertificates?: string | undefined
  /** The ServiceAccount token. */
  token: string
  /** A session without any event for so long is over, in milliseconds. */
  silenceMs: number
  onOpen: () => void
  onEvent: (event: CoordinatorEvent) => void
  /** Called once. */
  onEnd: (end: ConnectionEnd) => void
  clock: Pick<Clock, 'elapsed'>
}

/** A session with a coordinator: lines go up in the body of one request, events come down in its answer. */
export interface Connection {
  send: (line: string) => void
  /** Sends a last line, before this function returns, and ends the body of the request. */
  leave: (line: string) => void
  close: () => void
}

export type Connect = (options: ConnectionOptions) => Connection

/** Waits at most so long as another program says. */
const longestRetryAfterMs = 3_600_000

/** Opens a session. Whatever the other side sends ends the session at worst; nothing throws. */
export const openConnection: Connect = (options) => {
  const { url, caCertificates, token, silenceMs, onOpen, onEnd } = options
  let isEnded = false
  const end = (one: ConnectionEnd): void => {
    if (isEnded) return
    isEnded = true
    outgoing.destroy()
    onEnd(one)
  }
  const { hostname, port } = new URL(url)
  const outgoing = request({
    method: 'POST',
    hostname,
    port: port || 443,
    path: sessionPath,
    // The name of a Service may end with a dot, so that no search path is tried; that of a certificate does not.
    servername: hostname.replace(/\.$/, ''),
    // One connection, directly: a proxy of the environment is for vaults.
    agent: false,
    ...(caCertificates !== undefined && { ca: caCertificates }),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
    timeout: silenceMs,
  })
  outgoing.on('timeout', () => end({ reason: `nothing came for ${silenceMs / 1000} s` }))
  outgoing.on('error', (error) => end(isUntrusted(error) ? untrusted(error) : { reason: error.message }))
  outgoing.on('response', (response) => {
    const { statusCode: status = 0, headers } = response
    response.on('error', ({ message }) => end({ reason: message }))
    response.on('close', () => end({ reason: 'the coordinator closed the connection' }))
    if (status !== 200) return end(refusal(status, headers))
    const receive = createReceiver(options, end)
    response.on('data', (chunk: Buffer) => {
      if (!isEnded) receive(chunk)
    })
    onOpen()
  })
  outgoing.flushHeaders()
  return {
    send(line) {
      if (!isEnded) outgoing.write(line)
    },
    leave(line) {
      if (!isEnded) outgoing.end(line)
    },
    close: () => end({ reason: 'this program ended it' }),
  }
}

/** How a session ends that the coordinator refuses. */
export function refusal(status: number, headers: { 'retry-after'?: string | undefined }): ConnectionEnd {
  const seconds = Number(headers['retry-after'])
  const retryAfterMs = seconds > 0 ? Math.min(seconds * 1000, longestRetryAfterMs) : undefined
  return { reason: `${status}`, status, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

const untrusted = ({ message }: Error): ConnectionEnd => ({
  reason: `the authority of the coordinator's certificate is not trusted (${message}): recreate the pod if the administrator's file names it`,
  isUntrusted: true,
})

/** Returns what takes the bytes of an answer, whatever transports them. */
export function createReceiver(
  { onEvent, clock }: Pick<ConnectionOptions, 'onEvent' | 'clock'>,
  end: (one: ConnectionEnd) => void,
): (chunk: Uint8Array) => void {
  const read = createEventReader()
  const rate = createBucket({ capacity: messageRate.burst, refillMs: () => 1000 / messageRate.perSecond, clock })
  return (chunk) => {
    const events = read(chunk)
    if (!events.ok) return end({ reason: events.problems.join('; ') })
    for (const { name, data } of events.value) {
      if (!rate.take()) return end({ reason: 'too many events' })
      const parsed = parseEvent(name, data)
      if (parsed === 'malformed') return end({ reason: 'an event that cannot be read' })
      if (parsed === 'unknown') continue
      onEvent(parsed.event)
      if (parsed.event.name === 'goodbye') {
        const retryAfterMs = Math.min(parsed.event.retryAfterMs, longestRetryAfterMs)
        return end({ reason: 'the coordinator says goodbye', retryAfterMs })
      }
    }
  }
}
