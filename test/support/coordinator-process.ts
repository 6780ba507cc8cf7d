import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { metadataOnly } from '../emulator/access.ts'
import type { Emulator } from '../emulator/emulator.ts'
import type { TestIssuer } from '../emulator/issuer.ts'
import { freePort } from './free-port.ts'
import { certificateFolder } from './server-certificate.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { until } from './until.ts'
import { coordinatorManifest } from './deployment-manifest.ts'

/** The coordinator's identity, which the emulator lets read metadata alone. */
export const coordinatorClient = '99999999-2222-4333-8444-555555555555'

const rotationScript = join(import.meta.dirname, '../../coordinator/rotation/main.ts')
const source = join(import.meta.dirname, '../../coordinator/main.ts')
const serviceAccount = { namespace: 'akv-injector-system', serviceAccount: 'akv-injector-coordinator' }
/** Its ServiceAccount, as tokens name it. */
export const coordinatorSubject = `system:serviceaccount:${serviceAccount.namespace}:${serviceAccount.serviceAccount}`

/** Serves the keys of ServiceAccount tokens as an API server does; returns the path of a kubeconfig. */
async function startKeys(t: Pick<Test, 'teardown'>, issuer: TestIssuer, folder: string): Promise<string> {
  const server = createServer(({ url, headers }, response) => {
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': { issuer: issuer.issuer },
      '/openid/v1/jwks': issuer.jwks,
    }
    const type = url === '/openid/v1/jwks' ? 'application/jwk-set+json' : 'application/json'
    // As the API server does.
    if (!headers.accept?.includes(type)) return void response.writeHead(406).end('{}')
    response.setHeader('content-type', type)
    response.end(JSON.stringify(answers[url ?? ''] ?? {}))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const kubeconfig = {
    // The client refuses plain HTTP otherwise.
    clusters: [{ name: 'c', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    users: [{ name: 'u', user: {} }],
    'current-context': 'c',
  }
  writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig))
  return join(folder, 'kubeconfig')
}

/** Whether the program serves its certificate and is ready. */
const isReady = (port: number, ca: string): Promise<boolean> =>
  new Promise((resolve) => {
    get(`https://localhost:${port}/readyz`, { ca, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    }).on('error', () => resolve(false))
  })

/** The coordinator's program, in front of an emulator; it can be started again on the same port. */
export async function coordinatorProcess(
  t: Pick<Test, 'teardown'>,
  {
    emulator,
    issuer,
    port,
    script = source,
    vaults = ['my-kv'],
    durations = {},
  }: {
    emulator: Emulator
    issuer: TestIssuer
    port: number
    script?: string
    vaults?: string[]
    durations?: Record<string, string>
  },
  certificate = certificateFolder(t),
) {
  const folder = temporaryFolder(t)
  const kubeconfig = await startKeys(t, issuer, folder)
  const subject = `system:serviceaccount:${serviceAccount.namespace}:${serviceAccount.serviceAccount}`
  emulator.federate({ clientId: coordinatorClient, issuer: issuer.issuer, subject })
  emulator.access.set(coordinatorClient, metadataOnly)
  writeFileSync(join(folder, 'token'), await issuer.token(serviceAccount))
  const suffix = 'vault.emulator.example'
  const configuration = {
    cloud: 'Emulator',
    clouds: {
      Emulator: { authorityHost: emulator.authorityHost, vaultSuffix: suffix, caCertificates: emulator.ca },
    },
    coordinator: {
      url: `https://localhost:${port}`,
      vaults: [{ namespaces: ['shop'], vaults }],
      ...{ watchInterval: '1s', heartbeat: '1s', coverageAge: '5s', reconnect: '1s' },
      ...{ startGrace: '1s', lostGrace: '3s' },
      ...durations,
    },
  }
  writeFileSync(join(folder, 'configuration.yaml'), JSON.stringify(configuration))
  const proxy = await emulator.proxy()

  const statePort = await freePort()

  async function start() {
    const child = spawn(process.execPath, [...coordinatorManifest.flags, script], {
      env: {
        ...coordinatorManifest.allocator,
        ...{
          HOST: '127.0.0.1',
          PORT: String(port),
          STATE_PORT: String(statePort),
          KUBECONFIG: kubeconfig,
          HTTPS_PROXY: proxy,
        },
        CONFIGURATION: join(folder, 'configuration.yaml'),
        CERTIFICATES_FOLDER: certificate.folder,
        AZURE_CLIENT_ID: coordinatorClient,
        AZURE_TENANT_ID: emulator.tenant,
        AZURE_FEDERATED_TOKEN_FILE: join(folder, 'token'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
    t.teardown(() => child.kill('SIGKILL'))
    // The certificate may be missing for a while.
    await until(
      'the coordinator is ready',
      async () => child.exitCode !== null || (await isReady(port, certificate.cert)),
    )
    return { child, output: () => output }
  }
  /** Runs the program that asks this one. */
  async function rotation(...args: string[]) {
    const env = { PATH: process.env['PATH'], STATE_PORT: String(statePort) }
    const child = spawn(process.execPath, [rotationScript, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    t.teardown(() => child.kill('SIGKILL'))
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { out, err, code: child.exitCode }
  }
  const metrics = (): Promise<string> =>
    new Promise((resolve, reject) => {
      get(`https://localhost:${port}/metrics`, { ca: certificate.cert, agent: false }, (response) => {
        text(response).then(resolve, reject)
      }).on('error', reject)
    })
  return { start, rotation, metrics, certificate }
}
