import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import type { IncomingHttpHeaders } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import type { AdmissionResponse } from '../../webhook/review/admission-review.ts'
import { annotated, reviewOf } from './review-app.ts'
import { clientId, tenantId } from './default-configuration.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import { until } from '../support/until.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const script = join(import.meta.dirname, '../../webhook/main.ts')

interface LogLine {
  msg?: string
  port?: number
  reason?: string
}

/** The program itself, with folders in place of a cluster. */
async function start(t: Test, env: Record<string, string>) {
  const child = spawn(process.execPath, [script], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>
  const errors = text(child.stderr)
  const lines: LogLine[] = []
  const listening = new Promise<number | undefined>((resolve) => {
    createInterface(child.stdout)
      .on('line', (line) => {
        const parsed = JSON.parse(line) as LogLine
        lines.push(parsed)
        if (parsed.msg === 'listening') resolve(parsed.port)
      })
      .on('close', () => resolve(undefined))
  })
  return { child, exited, errors, lines, port: await listening }
}

function folders(t: Test) {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'serviceaccounts/shop'), { recursive: true })
  mkdirSync(join(folder, 'namespaces'))
  writeFileSync(
    join(folder, 'serviceaccounts/shop/default.yaml'),
    `metadata: { annotations: { azure.workload.identity/client-id: ${clientId} } }`,
  )
  writeFileSync(
    join(folder, 'namespaces/shop.yaml'),
    'metadata: { annotations: { azure.keyvault.injector/vault: of-namespace } }',
  )
  writeFileSync(join(folder, 'configuration.yaml'), `tenantId: ${tenantId}`)
  return folder
}

void t.test('webhook process: SERVICE_NAMES without a name is an error at the start', async (t) => {
  const { exited, errors } = await start(t, { SIDECAR_IMAGE: 'x', POD_NAMESPACE: 'x', SERVICE_NAMES: ' , ' })
  t.strictSame(await exited, [1, null])
  t.match(await errors, /the environment variable SERVICE_NAMES names no Service/)
})

void t.test('webhook process: it answers a review over HTTPS and drains on SIGTERM', async (t) => {
  const folder = folders(t)
  const { folder: certificates, cert } = certificateFolder(t)
  const { child, exited, lines, port } = await start(t, {
    CERTIFICATES_FOLDER: certificates,
    CLUSTER_FOLDER: folder,
    CONFIGURATION: join(folder, 'configuration.yaml'),
    SIDECAR_IMAGE: 'registry.example/akv-injector:1',
    PORT: '0',
    DRAIN_SECONDS: '1',
  })
  t.ok(port, 'the log names the port')
  const agent = new Agent({ ca: cert, keepAlive: true })
  t.teardown(() => agent.destroy())
  const ask = (path: string, body?: unknown) =>
    new Promise<{ status: number | undefined; headers: IncomingHttpHeaders; json: unknown }>((resolve, reject) => {
      const method = body === undefined ? 'GET' : 'POST'
      request(
        { host: 'localhost', port, path, method, agent, headers: { 'content-type': 'application/json' } },
        (response) => {
          text(response).then(
            (body) =>
              resolve({
                status: response.statusCode,
                headers: response.headers,
                json: body.startsWith('{') ? JSON.parse(body) : body,
              }),
            reject,
          )
        },
      )
        .on('error', reject)
        .end(body === undefined ? undefined : JSON.stringify(body))
    })

  const pod = annotated()
  delete (pod.metadata.annotations as Record<string, string>)['azure.keyvault.injector/vault']
  const { status, json } = await ask('/mutate?timeout=10s', reviewOf(pod))
  t.equal(status, 200)
  const { response } = json as { response: AdmissionResponse }
  t.match(response, { allowed: true, auditAnnotations: { vaults: 'https://of-namespace.vault.azure.net' } })
  t.match(Buffer.from(response.patch ?? '', 'base64').toString(), /"image":"registry.example\/akv-injector:1"/)
  const elsewhere = await ask('/mutate', reviewOf(annotated(), { namespace: '../shop' }))
  t.match(elsewhere.json, { response: { allowed: false } }, 'names from requests do not lead elsewhere')

  t.match(await ask('/readyz'), { status: 200 })
  const metrics = await ask('/metrics')
  t.match(metrics.json, /akv_injector_reviews_total\{purpose="mutate",decision="inject",reason="",report="false"\} 1/)
  t.match(metrics.json, /akv_injector_configuration_valid 1/)
  t.match(metrics.json, /akv_injector_certificate_expiry_timestamp_seconds \d{10}/)

  writeFileSync(join(folder, 'configuration.yaml'), 'tenant: x')
  const refused = /the changed configuration file is not used: unknown field \\"tenant\\"/
  const readiness = async () => JSON.stringify(await ask('/readyz'))
  await until('readiness names the problem', async () => refused.test(await readiness()))
  t.match(await readiness(), refused, 'the detail names the problems of a bad file')
  t.match(await ask('/readyz'), { status: 200 }, 'and the one before holds')
  const wrong = await ask('/metrics')
  t.match(wrong.json, /akv_injector_configuration_valid 0/)
  t.match(wrong.json, /akv_injector_configuration_reads_total\{outcome="refused"\} 1/)

  child.kill('SIGTERM')
  for (let tries = 0; (await ask('/readyz')).status === 200 && tries < 100; tries++);
  const late = await ask('/mutate', reviewOf(annotated()))
  t.match(late, { status: 200, headers: { connection: 'close' }, json: { response: { allowed: true } } })
  t.strictSame(await exited, [0, null])
  t.ok(lines.some(({ msg }) => msg === 'draining'))
})

/** Starts a program of which a part does not come to be, as if a signal came at that moment. */
async function startBlocked(t: Test, program: string) {
  // Handlers are counted from here on: the test runner loads a module that has some into every program.
  const source = `import { registerHooks } from 'node:module'
    globalThis.handled = () => ['SIGTERM', 'SIGINT'].map((signal) => process.listenerCount(signal))
    globalThis.before = handled()
    const source = 'export const createLogger = 0, logLevels = []; console.log(...handled().map((count, index) => count - before[index])); setInterval(() => {}, 1e6); await new Promise(() => {})'
    registerHooks({ load: (url, context, next) => url.includes('/shared/log.ts') ? { format: 'module', source, shortCircuit: true } : next(url, context) })`
  const preload = `--import=data:text/javascript,${encodeURIComponent(source)}`
  const child = spawn(process.execPath, [preload, program], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  t.equal(String(await once(child.stdout, 'data')), '1 1\n', 'signals are handled before other modules are evaluated')
  return { child, exited }
}

for (const [name, program, code] of [
  ['the webhook ends', script, 0],
  ['a sidecar fails', join(import.meta.dirname, '../../sidecar/main.ts'), 1],
] as const) {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    void t.test(`process: ${name} ends on ${signal} while its modules are loaded`, async (t) => {
      const { child, exited } = await startBlocked(t, program)
      child.kill(signal)
      t.strictSame(await exited, [code, null], 'by its handler, which is all that pid 1 of a container obeys')
    })
  }
}

void t.test('webhook process: SIGTERM ends it while it waits for the API server', async (t) => {
  const asked = Promise.withResolvers<void>()
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    asked.resolve()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const folder = folders(t)
  const kubeconfig = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
    clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    users: [{ name: 'u', user: { token: 'x' } }],
  }
  writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig))
  const env = {
    PATH: process.env['PATH'] ?? '',
    KUBECONFIG: join(folder, 'kubeconfig'),
    POD_NAMESPACE: 'a',
    POD_NAME: 'b',
    SERVICE_NAMES: 'c',
    CERTIFICATES: 'd',
    PORT: '0',
  }
  const child = spawn(process.execPath, [script], { env, stdio: 'inherit' })
  t.teardown(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  await Promise.race([asked.promise, exited])
  child.kill('SIGTERM')
  t.strictSame(await exited, [0, null])
})

void t.test('webhook process: a failed start is one line in the log', async (t) => {
  const folder = folders(t)
  const env = { CERTIFICATES_FOLDER: folder, CLUSTER_FOLDER: folder, SIDECAR_IMAGE: 'x', PORT: '0' }
  writeFileSync(join(folder, 'wrong.yaml'), 'tenant: x')
  const cases: [Record<string, string>, RegExp][] = [
    [
      { ...env, CONFIGURATION: join(folder, 'wrong.yaml') },
      /wrong.yaml: unknown field \\"tenant\\" \(did you mean \\"tenantId\\"\?\)/,
    ],
    [{ ...env, SIDECAR_IMAGE: '' }, /the environment variable SIDECAR_IMAGE is not set/],
    [{ ...env, DRAIN_SECONDS: '15s' }, /the environment variable DRAIN_SECONDS is not a number of seconds: 15s/],
    [{ ...env, CERTIFICATES_FOLDER: '' }, /the environment variable CERTIFICATES_FOLDER is not set/],
  ]
  for (const [variables, message] of cases) {
    const { exited, errors, port } = await start(t, variables)
    t.equal(port, undefined)
    t.strictSame(await exited, [1, null])
    t.match(await errors, message)
    t.match(JSON.parse(await errors), { level: 'fatal', reason: / \(docs: troubleshooting\.md#start-webhook\)$/ })
  }
})
