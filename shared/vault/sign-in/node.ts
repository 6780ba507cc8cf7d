import { createHttpHeaders, createPipelineRequest, type HttpClient } from '@azure/core-rest-pipeline'
import type { Clock } from '../../clock.ts'
import { retryAfterOf, serviceError, type Answer } from '../http-answer.ts'
import { LimitedHttpAgent } from '../connect-timeout.ts'
import { grantOf, kindOf, send, type Exchange } from './token-exchange.ts'
import { VaultFailure } from '../store.ts'

/** Azure's Instance Metadata Service, at the same address on every node; plain HTTP that does not leave it. */
export const metadataService = 'http://169.254.169.254'

export interface NodeExchangeOptions {
  /** Default: {@link metadataService}. */
  service?: string | undefined
  /** Of a user-assigned identity of the node; without it, the system-assigned identity is used. */
  clientId?: string | undefined
  http: HttpClient
  clock: Pick<Clock, 'now'>
}

/**
 * A token of the node's managed identity
 * ({@link https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#get-a-token-using-http}).
 */
export function createNodeExchange({
  service = metadataService,
  clientId,
  http,
  clock,
}: NodeExchangeOptions): Exchange {
  const whose = clientId === undefined ? "the node's own identity" : `the node's identity ${clientId}`
  const place = `sign-in of ${whose} at ${service}`
  return async (scope, abort) => {
    const query = new URLSearchParams({ 'api-version': '2018-02-01', resource: scope.replace(/\/\.default$/, '') })
    if (clientId !== undefined) query.set('client_id', clientId)
    const request = createPipelineRequest({
      url: `${service.replace(/\/$/, '')}/metadata/identity/oauth2/token?${query.toString()}`,
      headers: createHttpHeaders({ accept: 'application/json', metadata: 'true' }),
      abortSignal: abort,
      allowInsecureConnection: true,
      disableKeepAlive: true,
    })
    // createPipelineRequest takes this as an option and forgets it.
    request.agent = new LimitedHttpAgent({ keepAlive: false })
    const answer = await send(http, request, place)
    return answer.status === 200 ? grantOf(answer, place) : refuse(answer, place, clientId, clock.now())
  }
}

function refuse(answer: Answer, place: string, clientId: string | undefined, now: number): never {
  const { status } = answer
  const { code, words } = serviceError(answer)
  const sentences = [words ?? 'an answer that the metadata service does not send', remedyOf(status, words, clientId)]
  // The service says 404 and 410 while it is being updated, for 70 seconds at most.
  const kind = status === 404 || status === 410 ? 'sign-in-unavailable' : kindOf(status)
  throw new VaultFailure(kind, `${place}: ${status} ${sentences.filter(Boolean).join('; ')}`, {
    ...{ code, status },
    retryAfter: retryAfterOf(answer, now),
  })
}

function remedyOf(status: number, words = '', clientId: string | undefined): string | undefined {
  if (status === 400 && /identity not found/i.test(words)) {
    return clientId === undefined
      ? 'the node has no system-assigned identity: assign one to its scale set, or name a user-assigned identity of the node with userAssignedIdentityID'
      : "assign this identity to the node's scale set, or correct userAssignedIdentityID, which must be a client ID"
  }
  if (status === 400 && /multiple user assigned identities/i.test(words))
    return 'choose one with userAssignedIdentityID'
  if (status === 403) return 'does the cluster restrict access to the metadata service?'
  return undefined
}
