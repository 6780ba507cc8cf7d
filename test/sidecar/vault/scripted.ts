import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Cloud } from '../../../shared/clouds.ts'
import type { KeyVault, VaultRequest } from '../../../sidecar/vault/key-vault.ts'
import { openVaults, type Effects } from '../../../sidecar/vault/open-vaults.ts'
import { makeAuthority } from '../../emulator/tls.ts'
import { objectOf } from './stage.ts'

/** What a server does with a request for which it has asked for a token and got one; `count` begins at 1. */
export type Script = (request: IncomingMessage, response: ServerResponse, count: number) => void

/** A vault and a sign-in service in one that misbehaves as a test wants. */
export interface Scripted {
  readonly url: string
  /** Requests to the vault that bore a token, in order. */
  readonly seen: { path: string; token: string; socket: Socket; headers: IncomingMessage['headers'] }[]
  /** Everything else that came in: challenges and sign-ins. */
  readonly challenges: () => number
  readonly signIns: () => number
  readonly told: VaultRequest[]
  open(options?: { cloud?: Partial<Cloud>; effects?: Effects; environment?: Record<string, string> }): KeyVault
  close(): Promise<void>
}

/** Made once, since keys take their time. */
let trust: ReturnType<typeof makeTrust> | undefined

function makeTrust() {
  const authority = makeAuthority()
  return { ca: authority.ca, pair: authority.issue({ names: ['localhost', '127.0.0.1', '*.localhost'] }) }
}

export async function startScripted(
  script: Script,
  { challenge = 'Bearer authorization="https://login.example/7e57", resource="https://vault.azure.net"' } = {},
): Promise<Scripted> {
  const { ca, pair } = (trust ??= makeTrust())
  const seen: Scripted['seen'] = []
  const told: VaultRequest[] = []
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
      seen.push({ path: request.url ?? '', token, socket: request.socket, headers: request.headers })
      script(request, response, seen.length)
    }
  })
  server.on('tlsClientError', (_error, socket: Socket) => socket.destroy())
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const url = `https://localhost:${(server.address() as AddressInfo).port}`
  const closing: (() => void)[] = []
  return {
    ...{ url, seen, told },
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
          objects: [objectOf(url)],
        },
        environment,
        {
          onRequest: (request) => void told.push(request),
          readText: () => Promise.resolve('pod.token'),
          timeout: 5000,
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

/** A secret as GET gives it. */
export const secretBody = (value: string, name = 'db-password', version = '1'.repeat(32)) => ({
  value,
  id: `https://elsewhere.example/secrets/${name}/${version}`,
  attributes: { enabled: true, created: 1, updated: 2 },
})

/** A page of a list. */
export const page = (names: string[], nextLink?: string | null) => ({
  value: names.map((name) => ({
    id: `https://elsewhere.example/secrets/${name}`,
    attributes: { enabled: true, updated: 2 },
  })),
  ...(nextLink !== undefined && { nextLink }),
})
