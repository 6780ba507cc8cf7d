import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import type { Access, TokenClaims } from './access.ts'
import { resourceOf, vaultOf, vaultRoute, type Call, type VaultRoute } from './call.ts'
import { answerEntra, clientOf, entraRoute, type Entra } from './entra.ts'
import { VaultError, vaultError, type Answer } from './errors.ts'
import { disturb, faultAnswer } from './fault-answers.ts'
import { lagOf, type Fault, type Faults, type Subject, type TakenFault } from './faults.ts'
import type { Journal } from './journal.ts'
import { send } from './send.ts'
import type { Clock, Moment } from './store.ts'
import { answerVault } from './vault-api.ts'
import type { Vault } from './vault.ts'

export interface EmulatorState {
  clock: Clock
  vaults: Map<string, Vault>
  entra: Entra
  faults: Faults
  journal: Journal
  access: Access
}

/** What a request turned out to be: what it is counted as, and how it is answered when no fault comes in between. */
interface Meaning {
  subject: Subject & { version?: string | undefined }
  answer: (fault?: Fault, lag?: Moment) => Answer | Promise<Answer>
}

/** The request listener; `vault` binds it to one vault, else the host's first label says which. */
export function makeHandler(state: EmulatorState) {
  return (vault?: string) => (request: IncomingMessage, response: ServerResponse) => {
    handle(state, request, response, vault).catch(() => response.destroy())
  }
}

async function handle(state: EmulatorState, request: IncomingMessage, response: ServerResponse, bound?: string) {
  const call = await readCall(request)
  const meaning = await understand(state, call, bound)
  const taken = await delays(state.faults.take(meaning.subject))
  const answer = await answerWith(meaning, taken, state.clock.now(), call)
  const { subject } = meaning
  state.journal.add({
    time: state.clock.now(),
    operation: subject.challenge ? 'challenge' : subject.operation,
    ...(subject.vault && { vault: subject.vault }),
    ...(subject.object && { object: subject.object }),
    ...(subject.version && { version: subject.version }),
    status: answer.wire === 'hang' || answer.wire === 'reset' ? 0 : answer.status,
    ...(subject.client && { client: subject.client }),
  })
  send(response, answer, state.clock.now())
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const host = (request.headers.host ?? '').toLowerCase()
  const url = new URL(request.url ?? '/', 'https://localhost')
  const path = decodeURIComponent(url.pathname)
  const body = await text(request)
  return { method: request.method ?? 'GET', host, path, query: url.searchParams, headers: request.headers, body }
}

/** Waits out what delays or holds the request, and returns the fault that follows. */
async function delays(taken: TakenFault[]): Promise<TakenFault | undefined> {
  for (const one of taken) {
    if (one.fault.kind === 'delay') await wait(one.fault.ms)
    else if (one.fault.kind === 'hold') await one.off
    else return one
  }
  return undefined
}

async function answerWith({ subject, answer }: Meaning, taken: TakenFault | undefined, now: number, call: Call) {
  const instead = taken && faultAnswer(taken.fault, now, subject.operation === 'token')
  if (instead) return instead
  const url = `https://${call.host}${call.path}?${call.query.toString()}`
  try {
    const truth = await answer(taken?.fault, taken && lagOf(taken, now))
    return taken ? disturb(truth, taken.fault, url) : truth
  } catch (error) {
    if (error instanceof VaultError) return error.answer
    return vaultError(500, 'InternalServerError', String(error))
  }
}

async function understand(state: EmulatorState, call: Call, bound?: string): Promise<Meaning> {
  const entra = entraRoute(call)
  if (entra) {
    const subject = { operation: entra.operation, client: clientOf(call) }
    return { subject, answer: () => answerEntra(call, entra, state.entra, state.clock.now()) }
  }
  const name = bound ?? vaultOf(call.host)
  const vault = state.vaults.get(name.toLowerCase())
  const route = vaultRoute(call)
  if (!route || !vault) {
    const subject = { operation: 'unknown', ...(route && { vault: name }) }
    const message = route ? `There is no vault ${name} here.` : `Nothing answers ${call.method} ${call.path} here.`
    return { subject, answer: () => vaultError(404, 'NotFound', message) }
  }
  return understandVault(state, call, route, vault)
}

async function understandVault(state: EmulatorState, call: Call, route: VaultRoute, vault: Vault): Promise<Meaning> {
  const { collection, verb, object, version } = route
  const { tokens } = state.entra
  const tenant = vault.tenant ?? state.entra.tenant
  const resource = resourceOf(call.host)
  const subject = { operation: `${collection}.${verb}`, vault: vault.name, object, version }
  const refuse = (reason: string, fault?: Fault) => {
    const named = fault?.kind === 'wrong-tenant' ? fault.tenant : tenant
    return challenge(`${state.entra.authorityHost}${named}`, resource, reason)
  }
  const token = /^Bearer (.+)$/i.exec(call.headers.authorization ?? '')?.[1]
  if (!token) {
    const reason = 'AKV10000: Request is missing a Bearer or PoP token.'
    return { subject: { ...subject, challenge: true }, answer: (fault) => refuse(reason, fault) }
  }
  const claims = await tokens.check(token, tenant, resource)
  if (typeof claims === 'string') return { subject, answer: () => refuse(claims) }
  return {
    subject: { ...subject, client: claims.appid },
    answer: (fault, lag) => {
      if (fault?.kind === 'unauthorized') return refuse('The token has been revoked.')
      if (!state.access.allows(claims.appid, vault.name, route)) return forbidden(vault, route, claims)
      return answerVault(call, route, vault, lag)
    },
  }
}

/** 401 as the service sends it, with or without a token; the tenant is the last part of `authority`. */
function challenge(authority: string, resource: string, reason: string): Answer {
  const header = `Bearer authorization="${authority}", resource="${resource}"`
  return vaultError(401, 'Unauthorized', reason, undefined, { 'WWW-Authenticate': header })
}

function forbidden({ name, authorization }: Vault, route: VaultRoute, { appid, oid, iss }: TokenClaims): Answer {
  const { collection, object, verb } = route
  const what = `Action: '${collection}/${verb}'\r\nResource: '${[name, collection, object].filter(Boolean).join('/')}'`
  const message = `The caller may not do this.\r\nCaller: appid=${appid};oid=${oid};iss=${iss}\r\n${what}`
  return vaultError(403, 'Forbidden', message, authorization === 'rbac' ? 'ForbiddenByRbac' : 'AccessDenied')
}
