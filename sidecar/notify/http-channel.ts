import { lookup as resolve } from 'node:dns'
import { type IncomingMessage, request } from 'node:http'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import type { Attempt } from './channel.ts'
import type { Notification } from './notification.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')
export const isLoopback = (address: string): boolean => loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

export interface PostOptions {
  /** Ends the request when the notification is replaced or the sidecar stops. */
  abort?: AbortSignal
  /** For the status line to arrive, in milliseconds; default 10 s. */
  timeoutMs?: number
  resolve?: typeof resolve
}

/**
 * Notifies the app by a POST of `{id, switchedAt, changed: [{type, name, version, paths}]}`; a status of 2xx is success. The
 * name must resolve to a loopback address, redirects are not followed and no proxy is used: nothing outside the pod learns
 * what changed in it.
 */
export async function postNotification(
  url: string,
  notification: Notification,
  options: PostOptions = {},
): Promise<Attempt> {
  const { abort, timeoutMs = 10_000 } = options
  const { origin, pathname, hostname } = new URL(url)
  // A query may contain a token of the app.
  const call = `POST ${origin}${pathname}`
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isLoopback(host)) return refused(`${call}: ${host} is not a loopback address`)
  const deadline = AbortSignal.timeout(timeoutMs)
  const ended = AbortSignal.any(abort === undefined ? [deadline] : [deadline, abort])
  try {
    const status = await send(
      url,
      JSON.stringify(bodyOf(notification)),
      ended,
      onlyLoopback(options.resolve ?? resolve),
    )
    if (status >= 200 && status < 300) return { outcome: 'delivered', detail: `${call} answered ${status}` }
    return refused(`${call} answered ${status}${status >= 300 && status < 400 ? '; redirects are not followed' : ''}`)
  } catch (error) {
    if (deadline.aborted) return refused(`${call} did not answer within ${timeoutMs / 1000} s`)
    const { code, message } = error as NodeJS.ErrnoException
    return { ...refused(`${call} failed: ${code ?? message}`), soon: code === 'ECONNREFUSED' }
  }
}

const refused = (detail: string): Attempt => ({ outcome: 'http-error', detail })

const bodyOf = ({ id, switchedAt, changed }: Notification) => ({
  id,
  switchedAt: new Date(switchedAt).toISOString(),
  changed: changed.map(({ type, name, version, paths }) => ({ type, name, version, paths })),
})

/** @returns the status; the rest of the response is read and discarded, until the request is aborted at the latest */
function send(url: string, body: string, abort: AbortSignal, lookup: LookupFunction): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    // Its own agent: the environment may make the global one use a proxy.
    const post = request(
      url,
      { method: 'POST', agent: false, headers, lookup, signal: abort },
      (response: IncomingMessage) => {
        response.on('error', reject).resume()
        resolve(response.statusCode ?? 0)
      },
    )
    // A connection that ends without a response or an error: an upgrade (101) that was not requested.
    post.on('close', () => reject(new Error('the connection ended without a response')))
    post.on('error', reject).end(body)
  })
}

/** A resolver that returns only loopback addresses. */
export const onlyLoopback =
  (lookup: typeof resolve = resolve): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, [])
      const [first, ...rest] = addresses.filter(({ address }) => isLoopback(address))
      if (first === undefined)
        return callback(
          new Error(`${hostname} is not a loopback address (${addresses.map(({ address }) => address).join(', ')})`),
          [],
        )
      if (options.all === true) callback(null, [first, ...rest])
      else callback(null, first.address, first.family)
    })
  }
