/**
 * The load generator, a process of its own so that it shares no thread with what it measures: takes a {@link Job} as its
 * first message, or from LOAD_JOB, answers with a {@link Load}, and ends. It writes ready-made requests to TLS sockets, since an HTTP client
 * would need more of the machine than the server.
 */
import { connect, type TLSSocket } from 'node:tls'

export interface Job {
  port: number
  /** The trusted certificate of the server, and its expected name. */
  ca: string
  servername: string
  path: string
  body: string
  connections: number
  /** The measured time in milliseconds, after the warm-up. */
  duration: number
  warmUp: number
}

export interface Load {
  /** All requests, including those of the warm-up. */
  answered: number
  /** The requests within `duration`. */
  perSecond: number
  /** Milliseconds. */
  p50: number
  p99: number
  /** The body of the first answer. */
  answer: string
}

/** Runs a job against a server on the loopback address. */
export async function generate(job: Job): Promise<Load> {
  const request = Buffer.from(
    `POST ${job.path} HTTP/1.1\r\nHost: ${job.servername}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(job.body)}\r\n\r\n${job.body}`,
  )
  const from = performance.now() + job.warmUp
  const end = from + job.duration
  const latencies: number[] = []
  let answer = ''
  let answered = 0
  const connection = async () => {
    const socket = await open(job)
    const read = reader(socket)
    for (let start = performance.now(); start < end; start = performance.now()) {
      socket.write(request)
      const body = await read()
      answer ||= body
      answered++
      const now = performance.now()
      if (start >= from && now <= end) latencies.push(now - start)
    }
    socket.destroy()
  }
  await Promise.all(Array.from({ length: job.connections }, connection))
  latencies.sort((a, b) => a - b)
  const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? NaN
  const perSecond = (latencies.length / job.duration) * 1000
  return { answered, perSecond, p50: quantile(0.5), p99: quantile(0.99), answer }
}

async function open({ port, ca, servername }: Job): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const socket = connect({ host: '127.0.0.1', port, ca, servername }, () => resolve(socket))
  socket.setNoDelay().once('error', reject)
  return promise
}

/**
 * @returns a function that resolves to the body of the next response, with the lengths of its chunks if it has any; another status
 * than 200, or no length, is an error
 */
function reader(socket: TLSSocket): () => Promise<string> {
  let received: Buffer = Buffer.alloc(0)
  let waiting: PromiseWithResolvers<string> | undefined
  const fail = (message: string) => waiting?.reject(new Error(message))
  socket.on('error', (error: Error) => fail(error.message))
  socket.on('close', () => fail('the server closed a connection under load'))
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const headEnd = received.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = received.toString('latin1', 0, headEnd)
    const length = /^content-length: (\d+)/im.exec(head)?.[1]
    const isChunked = /^transfer-encoding: chunked/im.test(head)
    if (!head.startsWith('HTTP/1.1 200') || (length === undefined && !isChunked))
      return void fail(`the server answered:\n${head}`)
    const end = length === undefined ? endOfChunks(received, headEnd + 4) : headEnd + 4 + Number(length)
    if (end === undefined || received.length < end) return
    const body = received.toString('utf8', headEnd + 4, end)
    received = received.subarray(end)
    waiting?.resolve(body)
  })
  return () => {
    waiting = Promise.withResolvers<string>()
    return waiting.promise
  }
}

/** Where a chunked body ends; undefined if that was not received yet. */
function endOfChunks(received: Buffer, from: number): number | undefined {
  for (let at = from; ;) {
    const lineEnd = received.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = parseInt(received.toString('latin1', at, lineEnd), 16)
    at = lineEnd + 2 + size + 2
    if (size === 0) return at
  }
}

const { LOAD_JOB: given } = process.env
if (given !== undefined) console.log(JSON.stringify(await generate(JSON.parse(given) as Job)))
else if (process.send) {
  process.once('message', (job: Job) => {
    void generate(job)
      .then((load) => process.send?.({ load }))
      .catch((error: Error) => process.send?.({ error: error.message }))
      .finally(() => process.disconnect())
  })
}
