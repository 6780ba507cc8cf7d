import { setImmediate } from 'node:timers/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { realClock, type Clock } from '../../shared/clock.ts'
import type { Limit, OnLimited } from '../limits.ts'

/**
 * The largest body in bytes. The API server takes 3 MiB from its own clients; a review of an update holds the old object too.
 * {@link https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiserver/pkg/server/config.go}
 */
export const mostBytes = 8 * 1024 * 1024
/**
 * An object of three bytes takes more than 50 bytes in memory: V8 needs up to 60 bytes for each value. While the engine parses them, nothing
 * else is answered. A pod of 500 containers with all that the API server notes about its fields has less than half of them.
 */
const mostValues = 200_000
const bytesPerValue = 60
/** `JSON.parse` accepts any depth, but code that walks the result does not. */
const mostDepth = 2_000
/** Bodies up to this size, in bytes, have their own memory budget, so that large ones cannot block them. */
const smallBody = 256 * 1024

/** Bytes for the small and for the large bodies in progress, as text and parsed; a largest one fits. */
const memory = { small: 40e6, large: 48e6 }

/** A request that is rejected, with the HTTP status for it. */
export class BodyError extends Error {
  override name = 'BodyError'
  readonly statusCode: number
  constructor(statusCode: number, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

/** How long a request waits for memory before it is rejected, and how long a body may take before it gives way to others, in milliseconds. */
const patience = 5_000
const slow = 2_000
const retryInterval = 10

interface Held {
  pool: keyof typeof memory
  bytes: number
  address: string
  since: number
  /** Aborts an incomplete body; absent once it is complete. */
  abort?: () => void
}

export interface BodyOptions {
  onLimited?: OnLimited | undefined
  clock?: Pick<Clock, 'elapsed'>
}

/**
 * Reads JSON bodies so that all in progress take a bounded amount of memory: the most that a body may come to is reserved by its
 * `Content-Length` before the first byte is read, and what it does come to is held until the response is closed. Requests wait
 * for memory in the order of their arrival. Bodies that are not complete give way if they are slow, or if their address holds
 * more than the request's, so that clients that never finish keep no other out.
 */
export function createBodyReader({ onLimited = () => undefined, clock = realClock }: BodyOptions = {}) {
  const held = new Set<Held>()
  const turns: Record<Held['pool'], Promise<unknown>> = { small: Promise.resolve(), large: Promise.resolve() }

  const refuse: Refuse = (limit, statusCode, message) => {
    onLimited(limit)
    return new BodyError(statusCode, message)
  }

  /** Returns the used memory in bytes of one pool, or of the incomplete bodies of one address in it. */
  const used = (pool: Held['pool'], incompleteOf?: string): number =>
    [...held]
      .filter((one) => one.pool === pool)
      .filter(({ address, abort }) => incompleteOf === undefined || (abort !== undefined && address === incompleteOf))
      .reduce((total, { bytes }) => total + bytes, 0)

  function givingWayTo(one: Held): Held | undefined {
    const own = used(one.pool, one.address) + one.bytes
    return [...held]
      .filter(({ pool, abort }) => pool === one.pool && abort !== undefined)
      .map((other) => ({ other, share: used(one.pool, other.address) }))
      .filter(
        ({ other, share }) => clock.elapsed() - other.since > slow || (other.address !== one.address && share > own),
      )
      .toSorted((a, b) => b.share - a.share)[0]?.other
  }

  /** Resolves when there is memory for a body. */
  async function reserve(one: Held, isGone: () => boolean): Promise<void> {
    while (used(one.pool) + one.bytes > memory[one.pool]) {
      const victim = givingWayTo(one)
      if (victim !== undefined) {
        onLimited('body-memory')
        held.delete(victim)
        victim.abort?.()
      } else if (clock.elapsed() - one.since > patience || isGone()) {
        throw refuse('body-memory', 503, 'the reviews in progress take too much memory: retry')
      } else await sleep(retryInterval)
    }
    one.since = clock.elapsed()
    held.add(one)
  }

  /**
   * Returns a request's body, parsed.
   * @throws BodyError
   */
  async function read(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const size = sizeOf(request, refuse)
    const { socket } = request
    const pool = size > smallBody ? 'large' : 'small'
    const one: Held = {
      pool,
      bytes: costOf(size, Math.min(size, mostValues)),
      address: socket.remoteAddress ?? '',
      since: clock.elapsed(),
    }
    const aborted = Promise.withResolvers<never>()
    one.abort = () => {
      aborted.reject(new BodyError(503, 'the body was not complete when its memory was needed: retry'))
      socket.destroy()
    }
    const turn = turns[pool].then(() => reserve(one, () => socket.destroyed))
    turns[pool] = turn.catch(() => undefined)
    await turn
    response.once('close', () => held.delete(one))
    if (response.destroyed) held.delete(one)
    const bytes = await Promise.race([receive(request, size), aborted.promise])
    delete one.abort
    const values = countValues(bytes)
    if (values === undefined)
      throw refuse(
        'body-values',
        413,
        `the body holds more than ${mostValues} values or is nested more than ${mostDepth} deep`,
      )
    one.bytes = costOf(size, values)
    if (pool === 'large') await setImmediate()
    const parsed = parse(bytes)
    if (pool === 'large') await setImmediate()
    return parsed
  }
  return { read }
}

type Refuse = (limit: Limit, statusCode: number, message: string) => BodyError

/** Returns the memory in bytes of a body as text, with at most two bytes a character, and parsed. */
const costOf = (size: number, values: number): number => 2 * size + values * bytesPerValue

/** Returns the body's size in bytes. @throws BodyError if it may not be read */
function sizeOf({ headers }: IncomingMessage, refuse: Refuse): number {
  const { 'content-encoding': encoding = 'identity', 'content-length': length = '0' } = headers
  if (encoding !== 'identity')
    throw refuse('body-encoding', 415, 'the body is compressed: send it without a Content-Encoding')
  if (headers['transfer-encoding'] !== undefined)
    throw refuse('body-size', 411, 'the size of the body is not known: send a Content-Length')
  const size = Number(length)
  if (size > mostBytes) throw refuse('body-size', 413, `the body is larger than ${mostBytes} bytes`)
  if (size === 0) throw new BodyError(400, 'the body is empty')
  return size
}

async function receive(request: IncomingMessage, size: number): Promise<Buffer> {
  // Memory pages that are never written to take no memory.
  const bytes = Buffer.allocUnsafeSlow(size)
  let at = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) at += chunk.copy(bytes, at)
  } catch {
    // The client is gone.
  }
  if (at < size) throw new BodyError(400, 'the body ended early')
  return bytes
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    // The engine's message repeats a part of the body.
    throw new BodyError(400, 'the body is not complete JSON')
  }
}

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a]
const [openList, openObject, closeList, closeObject] = [0x5b, 0x7b, 0x5d, 0x7d]

/** Returns the maximum number of values in a JSON text, including keys; undefined if there are too many or too deep. Accepts invalid JSON. */
export function countValues(bytes: Buffer): number | undefined {
  let [values, depth] = [1, 0]
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === quote) at = endOfString(bytes, at)
    else if (byte === comma || byte === colon) values++
    else if (byte === openList || byte === openObject) {
      values++
      if (++depth > mostDepth) return undefined
    } else if (byte === closeList || byte === closeObject) depth--
    if (values > mostValues) return undefined
  }
  return values
}

/** Returns where the string that begins at a quotation mark ends; the length if it does not end. */
function endOfString(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === quote) return at
    if (byte === backslash) at++
  }
  return bytes.length
}
