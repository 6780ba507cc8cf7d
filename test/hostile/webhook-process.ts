import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import net from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import tls, { type TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { bundles, ensureBundles } from '../demo/bundles.ts'
import { annotated, reviewOf } from '../webhook/review-app.ts'
import { clientId, tenantId } from '../webhook/default-configuration.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { webhookManifest } from '../support/deployment-manifest.ts'

export interface Answer {
  status: number | undefined
  body: string
}

/** The webhook as the manifests run it. */
export interface WebhookProcess {
  port: number
  /** A review over a connection that is kept, as the API server's are. */
  review: (pod?: object) => Promise<Answer>
  /** A review over a connection of its own. */
  reviewAlone: () => Promise<Answer>
  post: (path: string, body: string | Buffer, headers?: Record<string, string>) => Promise<Answer>
  get: (path: string) => Promise<Answer>
  /** A TLS connection to write to. Errors are expected on it. */
  connect: (localAddress?: string) => Promise<TLSSocket>
  /** The most that the process has had in memory so far, in bytes. */
  peak: () => number
  /** The value of `akv_injector_limited_total` by limit. */
  limited: () => Promise<Record<string, number>>
  isRunning: () => boolean
}

/** Starts the bundled program with the manifest's flags; `env` says what its cluster is, by default a folder, and may name certificates. */
export async function startWebhook(t: Test, env: Record<string, string> = {}): Promise<WebhookProcess> {
  await ensureBundles()
  const folder = clusterFolder(t)
  const certificates = env['CERTIFICATES_FOLDER'] ?? certificateFolder(t).folder
  const cert = readFileSync(join(certificates, 'tls.crt'), 'utf8')
  const files = {
    CERTIFICATES_FOLDER: certificates,
    CONFIGURATION: join(folder, 'configuration.yaml'),
    SIDECAR_IMAGE: 'x',
    PORT: '0',
    HOST: '127.0.0.1',
  }
  const cluster = 'KUBECONFIG' in env ? {} : { CLUSTER_FOLDER: folder }
  const child = spawn(process.execPath, [...webhookManifest.flags, bundles.webhook], {
    env: { PATH: process.env['PATH'] ?? '', ...webhookManifest.allocator, ...files, ...cluster, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const pid = child.pid ?? 0
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const port = await listening(child.stdout)
  const agent = new Agent({ ca: cert, keepAlive: true, maxSockets: 4 })
  t.teardown(() => agent.destroy())

  const send = (
    method: string,
    path: string,
    body?: string | Buffer,
    headers: Record<string, string> = {},
    over: Agent | false = agent,
  ) =>
    new Promise<Answer>((resolve, reject) => {
      const options = { host: '127.0.0.1', servername: 'localhost', port, path, method, agent: over, ca: cert }
      const contentType = { 'content-type': 'application/json' }
      const sent = request({ ...options, headers: { ...contentType, ...headers } }, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode, body }), reject)
      })
      sent.on('error', reject).end(body)
    })
  return {
    port,
    review: (pod = annotated()) => send('POST', '/mutate?timeout=10s', JSON.stringify(reviewOf(pod))),
    reviewAlone: () => send('POST', '/mutate?timeout=10s', JSON.stringify(reviewOf(annotated())), {}, false),
    post: (path, body, headers) => send('POST', path, body, headers),
    get: (path) => send('GET', path),
    async connect(localAddress = '127.0.0.1') {
      const socket = tls.connect({
        socket: net.connect({ host: '127.0.0.1', port, localAddress }),
        ca: cert,
        servername: 'localhost',
      })
      await once(socket, 'secureConnect')
      return socket.on('error', () => undefined).resume()
    },
    peak: () => Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024,
    async limited() {
      const { body } = await send('GET', '/metrics')
      const lines = body.matchAll(/^akv_injector_limited_total\{limit="([^"]+)"\} (\d+)$/gm)
      return Object.fromEntries([...lines].map(([, limit = '', count]) => [limit, Number(count)]))
    },
    isRunning: () => child.exitCode === null && child.signalCode === null,
  }
}

function clusterFolder(t: Test): string {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'serviceaccounts/shop'), { recursive: true })
  const account = `metadata: { annotations: { azure.workload.identity/client-id: ${clientId} } }`
  writeFileSync(join(folder, 'serviceaccounts/shop/default.yaml'), account)
  writeFileSync(join(folder, 'configuration.yaml'), `tenantId: ${tenantId}`)
  return folder
}

const listening = (output: NodeJS.ReadableStream): Promise<number> =>
  new Promise((resolve, reject) => {
    createInterface(output)
      .on('line', (line) => {
        const { msg, port } = JSON.parse(line) as { msg?: string; port?: number }
        if (msg === 'listening' && port !== undefined) resolve(port)
      })
      .on('close', () => reject(new Error('the webhook ended before it listened')))
  })
