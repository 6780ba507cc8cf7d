import { randomBytes } from 'node:crypto'
import http, { type IncomingMessage } from 'node:http'
import https, { type RequestOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import type { KubeConfig } from '@kubernetes/client-node'
import { createFrameReader, pong } from './frames.ts'

/** A container of a pod. */
export interface ExecTarget {
  namespace: string
  pod: string
  container: string
}

export interface Executed {
  code: number
  out: string
  err: string
}

/** Runs a program in a container, as `kubectl exec` does. @throws Error if it could not be run */
export type Exec = (target: ExecTarget, command: readonly string[]) => Promise<Executed>

const timeoutMs = 30_000
/** Bytes of everything that the program writes. */
const mostBytes = 16 * 1024 * 1024
/** The newest first; older API servers know the second alone. */
const protocols = 'v5.channel.k8s.io, v4.channel.k8s.io'
const channels = { out: 1, err: 2, status: 3 } as const

/** What the API server sends at the end of a program. */
interface Status {
  status?: string
  message?: string
  reason?: string
  details?: { causes?: { reason?: string; message?: string }[] }
}

/** Returns what runs programs with the credentials of a kubeconfig, which needs `get` and `create` on `pods/exec`. */
export function createExec(kubeConfig: KubeConfig): Exec {
  const server = new URL(kubeConfig.getCurrentCluster()?.server ?? 'https://kubernetes.default.svc')
  return async ({ namespace, pod, container }, command) => {
    const query = new URLSearchParams({ container, stdout: 'true', stderr: 'true' })
    for (const one of command) query.append('command', one)
    const prefix = server.pathname.replace(/\/$/, '')
    const path = `${prefix}/api/v1/namespaces/${namespace}/pods/${pod}/exec?${query.toString()}`
    const options: RequestOptions = { method: 'GET', headers: {} }
    await kubeConfig.applyToHTTPSOptions(options)
    options.headers = {
      ...options.headers,
      ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
      'sec-websocket-key': randomBytes(16).toString('base64'),
      'sec-websocket-protocol': protocols,
    }
    options.agent = false
    options.signal = AbortSignal.timeout(timeoutMs)
    const { request } = server.protocol === 'http:' ? http : https
    const opened = await open(request(new URL(path, server), options))
    try {
      return await follow(opened.socket, opened.head)
    } finally {
      opened.socket.destroy()
    }
  }
}

function open(request: http.ClientRequest): Promise<{ socket: Duplex; head: Buffer }> {
  return new Promise((resolve, reject) => {
    request.on('upgrade', (_response: IncomingMessage, socket: Duplex, head: Buffer) => resolve({ socket, head }))
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text = (text + part).slice(0, 2_000)))
      response.on('end', () => reject(new Error(`${response.statusCode} ${messageOf(text)}`)))
    })
    request.on('error', reject)
    request.end()
  })
}

/** Reads what a program writes until its status comes. */
async function follow(socket: Duplex, head: Buffer): Promise<Executed> {
  const read = createFrameReader(mostBytes)
  const written: Record<number, Buffer[]> = { [channels.out]: [], [channels.err]: [], [channels.status]: [] }
  const textOf = (channel: number): string => Buffer.concat(written[channel] ?? []).toString()
  const stream = (async function* () {
    yield head
    yield* socket as AsyncIterable<Buffer>
  })()
  for await (const chunk of stream) {
    for (const { kind, payload } of read(chunk)) {
      if (kind === 'ping') socket.write(pong(payload))
      if (kind === 'data') written[payload[0] ?? 0]?.push(payload.subarray(1))
      const status = textOf(channels.status)
      if (status !== '') return { code: codeOf(status), out: textOf(channels.out), err: textOf(channels.err) }
      if (kind === 'close') throw new Error('the connection was closed before the program ended')
    }
  }
  throw new Error('the connection ended before the program did')
}

/** The exit code in a Status. */
function codeOf(text: string): number {
  const { status, message = '', details } = JSON.parse(text) as Status
  if (status === 'Success') return 0
  const cause = details?.causes?.find(({ reason }) => reason === 'ExitCode')
  if (cause?.message === undefined) throw new Error(message)
  return Number(cause.message)
}

/** The message of a Status, else the text itself. */
function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as Status).message ?? text
  } catch {
    return text
  }
}
