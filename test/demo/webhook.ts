import { mkdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import jsonPatch, { type Operation } from 'fast-json-patch'
import { createAuthority, issueLeaf, serviceNames } from '../../certs/authority.ts'
import { admissionReview, writeCluster, type Pod } from './cluster.ts'
import type { Supervisor, Watched } from './processes.ts'

/** The webhook as its own process. */
export interface Webhook {
  process: Watched
  port: number
  /** What the API server trusts (PEM), and the name that it calls. */
  ca: string
  servername: string
}

const day = 24 * 3600 * 1000

/** A serving certificate like the injector's own. */
export async function makeCertificate(now = Date.now()) {
  const names = serviceNames({ names: ['akv-injector'], namespace: 'akv-injector-system' })
  const { authority, key } = await createAuthority({ now, lifetimeMs: day })
  const leaf = await issueLeaf({ authority, key, names, now, lifetimeMs: day })
  return { ca: authority.pem, cert: leaf.pem, key: leaf.key, servername: names[0] }
}

export interface WebhookOptions {
  supervisor: Supervisor
  /** The program: dist/webhook.js, or webhook/main.ts. */
  script: string
  /** The folder for its files. */
  folder: string
  /** The administrator's file. */
  configuration: string
}

/** Starts the webhook without a cluster: certificate, namespaces and ServiceAccounts are files. Resolves when it listens. */
export async function startWebhook({ supervisor, script, folder, configuration }: WebhookOptions): Promise<Webhook> {
  const certificates = join(folder, 'certificates')
  const cluster = join(folder, 'cluster')
  const { ca, cert, key, servername } = await makeCertificate()
  mkdirSync(certificates, { recursive: true })
  writeFileSync(join(certificates, 'ca.crt'), ca)
  writeFileSync(join(certificates, 'tls.crt'), cert)
  writeFileSync(join(certificates, 'tls.key'), key, { mode: 0o600 })
  writeFileSync(join(folder, 'configuration.yaml'), configuration)
  writeCluster(cluster)
  const env = {
    CERTIFICATES_FOLDER: certificates,
    CLUSTER_FOLDER: cluster,
    CONFIGURATION: join(folder, 'configuration.yaml'),
    SIDECAR_IMAGE: 'akv-injector:demo',
    PORT: '0',
  }
  const process_ = supervisor.start('the webhook', process.execPath, [script], { env, cwd: folder })
  const port = await process_.line('"listening" in its log', listeningPort, 20_000)
  return { process: process_, port, ca, servername }
}

/** Returns the port in a line of the webhook's log. */
export function listeningPort(line: string): number | undefined {
  if (!line.startsWith('{')) return undefined
  const { msg, port } = JSON.parse(line) as { msg?: string; port?: number }
  return msg === 'listening' ? port : undefined
}

/** The webhook's answer about a pod. */
export interface Answer {
  warnings: string[]
  patch: Operation[]
}

/**
 * Sends a review over TLS, as the API server does.
 * @throws when the answer is not 200, or when the pod is denied, with the webhook's message
 */
export async function review({ port, ca, servername }: Webhook, pod: object): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const headers = { 'content-type': 'application/json', host: servername }
  const options = { host: '127.0.0.1', port, path: '/mutate', method: 'POST', ca, servername, headers }
  request({ ...options, signal: AbortSignal.timeout(10_000) }, (response) => {
    text(response).then((body) => {
      if (response.statusCode === 200) resolve(body)
      else reject(new Error(`the webhook answered ${response.statusCode}: ${body}`))
    }, reject)
  })
    .on('error', reject)
    .end(JSON.stringify(admissionReview(pod)))
  const { response } = JSON.parse(await promise) as {
    response: { allowed: boolean; status?: { message?: string }; patch?: string; warnings?: string[] }
  }
  if (!response.allowed) throw new Error(`the webhook denied the pod: ${response.status?.message ?? 'no reason given'}`)
  const patch = JSON.parse(Buffer.from(response.patch ?? 'W10=', 'base64').toString()) as Operation[]
  return { patch, warnings: response.warnings ?? [] }
}

/** Applies a patch as the API server does, and gives the pod a name and UID. */
export function createPod(pod: { metadata: { generateName: string } }, patch: Operation[]): Pod {
  const patched = jsonPatch.applyPatch(structuredClone(pod), patch, true).newDocument as unknown as Pod
  const name = `${pod.metadata.generateName}x7k2p`
  return { ...patched, metadata: { ...patched.metadata, ...{ name, uid: crypto.randomUUID() } } }
}
