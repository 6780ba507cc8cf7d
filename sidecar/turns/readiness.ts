import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect, isIP, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Readiness } from '../../shared/settings/schema.ts'
import { isLoopback, onlyLoopback } from '../notify/http-channel.ts'

/** What a probe found out. */
export interface ReadinessAnswer {
  isReady: boolean
  /** A sentence for a person; it has no query, which may contain a token of the app. */
  detail: string
}

export interface Probing {
  /** Default: that of the pod. */
  address?: string | undefined
}

type HttpProbe = Extract<Readiness, { scheme: string }>
type TcpProbe = Extract<Readiness, { tcp: number }>

/** Of a URL on the loopback address: the kubelet's defaults are 10 s and 1 s, which is short for the first request. */
const urlTiming = { period: 10_000, timeout: 5_000 }

/** How often the app is asked, and how long it may take to answer, in milliseconds. */
export const timingOf = (readiness: Readiness): { period: number; timeout: number } =>
  'url' in readiness
    ? urlTiming
    : { period: Math.max(readiness.period, 1_000), timeout: Math.max(readiness.timeout, 1_000) }

/** Asks the app whether it is ready; never throws. */
export async function askReadiness(
  readiness: Readiness,
  { address = podAddress() }: Probing = {},
): Promise<ReadinessAnswer> {
  if ('url' in readiness) return askUrl(readiness.url)
  return 'tcp' in readiness ? askPort(readiness, address) : askAsKubelet(readiness, address)
}

/** The pod's own address: the first that is neither a loopback nor a link-local one. */
function podAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const own = all.find(({ internal, address }) => !internal && !address.startsWith('fe80:'))
  return own?.address ?? '127.0.0.1'
}

async function askUrl(url: string): Promise<ReadinessAnswer> {
  const { origin, pathname, hostname } = new URL(url)
  const call = `GET ${origin}${pathname}`
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isLoopback(host))
    return { isReady: false, detail: `${call}: ${host} is not a loopback address` }
  return answerOf(
    call,
    urlTiming.timeout,
    (status) => status < 300,
    (signal) => statusOf(url, { lookup: onlyLoopback(), signal }),
  )
}

async function askAsKubelet(probe: HttpProbe, address: string): Promise<ReadinessAnswer> {
  const { scheme, port, path, host = '', headers } = probe
  const call = `GET ${scheme}://${host}:${port}${path.replace(/[?#].*$/s, '')}`
  const named = host || address
  const url = `${scheme}://${isIPv6(named) ? `[${named}]` : named}:${port}`
  return answerOf(
    call,
    timingOf(probe).timeout,
    (status) => status < 400,
    (signal) =>
      // The kubelet does not verify the certificate either.
      statusOf(url, { path, headers: headersOf(headers), rejectUnauthorized: false, signal }),
  )
}

function headersOf(headers: HttpProbe['headers']): Record<string, string | string[]> {
  const merged = new Map<string, string[]>([
    ['user-agent', ['kube-probe/1.34']],
    ['accept', ['*/*']],
  ])
  const own = Map.groupBy(headers, ({ name }) => name.toLowerCase())
  for (const [name, values] of own)
    merged.set(
      name,
      values.map(({ value }) => value),
    )
  return Object.fromEntries(
    Array.from(merged, ([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  )
}

/** A sentence about one request. @param send resolves with the status */
async function answerOf(
  call: string,
  timeoutMs: number,
  isReady: (status: number) => boolean,
  send: (abort: AbortSignal) => Promise<number>,
): Promise<ReadinessAnswer> {
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const status = await send(deadline)
    return { isReady: status >= 200 && isReady(status), detail: `${call} answered ${status}` }
  } catch (error) {
    return { isReady: false, detail: failureOf(call, timeoutMs, deadline, error) }
  }
}

function failureOf(call: string, timeoutMs: number, deadline: AbortSignal, error: unknown): string {
  if (deadline.aborted) return `${call} did not answer within ${timeoutMs / 1000} s`
  const { code, message } = error as NodeJS.ErrnoException
  return `${call} failed: ${code ?? message}`
}

/** @returns the status; redirects are not followed, and the body is not read */
async function statusOf(url: string, options: RequestOptions & { rejectUnauthorized?: boolean }): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const send = url.startsWith('https:') ? requestHttps : requestHttp
  // Its own agent: the environment may make the global one use a proxy.
  const get = send(url, { ...options, method: 'GET', agent: false }, (response: IncomingMessage) => {
    resolve(response.statusCode ?? 0)
    response.on('error', () => undefined).destroy()
  })
  // A connection that ends without a response or an error: an upgrade (101) that was not requested.
  get.on('close', () => reject(new Error('the connection ended without a response')))
  get.on('error', reject).end()
  return promise
}

async function askPort(probe: TcpProbe, address: string): Promise<ReadinessAnswer> {
  const { tcp, host = '' } = probe
  const { timeout } = timingOf(probe)
  const call = `a connection to ${host}:${tcp}`
  const deadline = AbortSignal.timeout(timeout)
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  const socket = connect({ host: host || address, port: tcp, signal: deadline })
  socket.once('connect', () => resolve(undefined)).on('error', reject)
  try {
    await promise
    return { isReady: true, detail: `${call} was accepted` }
  } catch (error) {
    return { isReady: false, detail: failureOf(call, timeout, deadline, error) }
  } finally {
    socket.destroy()
  }
}
