import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Emulator } from './emulator.ts'

/** A node's Instance Metadata Service, as far as it gives out tokens of the node's managed identities. */
export interface MetadataService {
  /** For `AZURE_POD_IDENTITY_AUTHORITY_HOST`. */
  url: string
  /** Client ids of the node's identities: its own, if it has one, and the user-assigned ones. */
  node: { own?: string; assigned: string[] }
  /** What was asked for, as query parameters. */
  asked: Record<string, string>[]
  /** Answers in place of the next tokens: statuses. */
  failures: number[]
  close(): void
}

/**
 * Opens such a service on a free port; its tokens are the emulator's
 * ({@link https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token}).
 */
export async function startMetadataService({ tokens, tenant }: Emulator): Promise<MetadataService> {
  const service: MetadataService = { url: '', node: { assigned: [] }, asked: [], failures: [], close: () => {} }
  const server = createServer((request, response) => void answer(request, response))

  async function answer({ method, headers, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(url, 'http://node')
    const send = (status: number, body: object) => response.writeHead(status).end(JSON.stringify(body))
    const refuse = (status: number, error: string, words: string) => send(status, { error, error_description: words })
    if (method !== 'GET' || !/^\/metadata\/identity\/oauth2\/token\/?$/.test(pathname))
      return void refuse(404, 'not_found', 'none')
    if (headers.metadata !== 'true')
      return void refuse(400, 'bad_request_102', 'Required metadata header not specified')
    service.asked.push(Object.fromEntries(searchParams))
    const failure = service.failures.shift()
    if (failure !== undefined) return void refuse(failure, 'unknown', 'in an update')
    const wanted = searchParams.get('client_id')
    const { own, assigned } = service.node
    const client =
      wanted === null
        ? (own ?? (assigned.length === 1 ? assigned[0] : undefined))
        : assigned.find((id) => id === wanted)
    if (wanted === null && client === undefined && assigned.length > 1) {
      const words = 'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity'
      return void refuse(400, 'invalid_request', words)
    }
    if (client === undefined) return void refuse(400, 'invalid_request', 'Identity not found')
    const resource = searchParams.get('resource') ?? ''
    const lifetime = 24 * 3600
    send(200, {
      access_token: await tokens.issue({ tenant, client, resource, lifetime }),
      expires_in: `${lifetime}`,
      expires_on: `${Math.floor(Date.now() / 1000) + lifetime}`,
      ...{ resource, token_type: 'Bearer', client_id: client },
    })
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  service.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  service.close = () => {
    server.close()
    server.closeAllConnections()
  }
  return service
}
