import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Cloud } from '../../shared/clouds/clouds.ts'
import type { KeyVault, VaultRequest } from '../../shared/vault/key-vault/client.ts'
import { openVaults, type VaultDependencies } from '../../shared/vault/open-vaults.ts'
// The first sign-in loads it, which takes a second from sources: longer than some tests let a request take.
import '../../shared/vault/sign-in/federated.ts'
import { makeAuthority } from '../emulator/tls.ts'
import { objectSpec } from './object-spec.ts'

/** Handles a request that came with a token after the server requested one; `count` begins at 1. */
export type Script = (request: IncomingMessage, response: ServerResponse, count: number) => void

/** A vault and a sign-in service in one server that misbehaves as a test wants. */
export interface ScriptedServer {
  readonly url: string
  /** Requests to the vault with a token, in order. */
  readonly requests: { path: string; token: string; socket: Socket; headers: IncomingMessage['headers'] }[]
  /** All other requests: challenges and sign-ins. */
  readonly challenges: () => number
  readonly signIns: () => number
  readonly reported: VaultRequest[]
  open(options?: {
    cloud?: Partial<Cloud>
    effects?: VaultDependencies
    environment?: Record<string, string>
  }): KeyVault
  close(): Promise<void>
}

/** Created once, because keys take time. */
let trust: ReturnType<typeof makeTrust> | undefined

function makeTrust() {
  const authority = makeAuthority()
  return { ca: authority.ca, pair: authority.issue({ names: ['localhost', '127.0.0.1', '*.localhost'] }) }
}

export async function startScriptedServer(
  script: Script,
  { challenge = 'Bearer authorization="https://login.example/7e57", resource="https://vault.azure.net"' } = {},
): Promise<ScriptedServer> {
  const { ca, pair } = (trust ??= makeTrust())
  const requests: ScriptedServer['requests'] = []
  const reported: VaultRequest[] = []
  let challenges = 0
  let signIns = 0
  const server = createServer(pair, (request, response) => {
    request.resume()
    response.on('error', () => {})
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (request.method === 'POST') {
      response.end(JSON.stringify({ access_token: `token-${++signIns}`, expires_in: 3600 }))
    } else if (token === undefined) {
      challenges++
      response.writeHead(401, challenge === '' ? {} : { 'WWW-Authenticate': challenge }).end()
    } else {
      requests.push({ path: request.url ?? '', token, socket: request.socket, headers: request.headers })
      script(request, response, requests.length)
    }
  })
  server.on('tlsClientError', (_error, socket: Socket) => socket.destroy())
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const url = `https://localhost:${(server.address() as AddressInfo).port}`
  const closing: (() => void)[] = []
  return {
    ...{ url, requests, reported },
    challenges: () => challenges,
    signIns: () => signIns,
    open({ cloud, effects, environment = {} } = {}) {
      const opened = openVaults(
        {
          clouds: {
            test: {
              authorityHost: url,
              vaultSuffix: 'vault.azure.net',
              caCertificates: ca,
              verifyChallengeResource: false,
              ...cloud,
            },
          },
          identities: [{ cloud: 'test', tenantId: 'contoso.example', clientId: 'c1' }],
          objects: [objectSpec('db-password', { vault: url })],
        },
        environment,
        {
          onRequest: (request) => void reported.push(request),
          readText: () => Promise.resolve('pod.token'),
          timeoutMs: 5000,
          ...effects,
        },
      )
      if (!opened.ok) throw new Error(opened.problems.join('; '))
      closing.push(() => opened.value.close())
      return opened.value.all[0]!
    },
    async close() {
      closing.forEach((close) => close())
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      server.closeAllConnections()
      return promise
    },
  }
}

/** Answers with JSON. */
export const json = (response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}) =>
  void response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body))

/** Returns a secret as a GET does. */
export const secretBody = (value: string, name = 'db-password', version = '1'.repeat(32)) => ({
  value,
  id: `https://elsewhere.example/secrets/${name}/${version}`,
  attributes: { enabled: true, created: 1, updated: 2 },
})

/** Returns a page of a list. */
export const page = (names: string[], nextLink?: string | null) => ({
  value: names.map((name) => ({
    id: `https://elsewhere.example/secrets/${name}`,
    attributes: { enabled: true, updated: 2 },
  })),
  ...(nextLink !== undefined && { nextLink }),
})
