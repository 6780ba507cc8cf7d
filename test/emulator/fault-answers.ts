import { aadstsError, vaultError, type Answer } from './errors.ts'
import type { Fault } from './faults.ts'

/** What a fault answers in place of the true answer; undefined where it changes that one (`disturb`) or is no answer at all. */
export function faultAnswer(fault: Fault, now: number, isToken: boolean): Answer | undefined {
  switch (fault.kind) {
    case 'throttle': {
      const headers = fault.retryAfter === undefined ? {} : { 'Retry-After': String(fault.retryAfter) }
      const answer = isToken
        ? aadstsError(90055, 'There are too many incoming requests for this tenant.', now)
        : vaultError(429, 'Throttled', 'Request was not processed because too many requests were received.')
      return { ...answer, headers }
    }
    case 'forbid':
      return vaultError(403, 'Forbidden', fault.message ?? `The caller may not do this (${fault.inner}).`, fault.inner)
    case 'status': {
      const { status, headers } = fault
      const body = 'body' in fault ? fault.body : vaultError(status, `Status${status}`, 'An emulated failure.').body
      return { status, ...(headers && { headers }), body }
    }
    case 'hang':
    case 'reset':
      return { status: 0, wire: fault.kind }
    case 'redirect':
      return { status: fault.status ?? 307, headers: { Location: fault.location } }
    case 'aadsts':
      return aadstsError(fault.code, fault.message ?? 'An emulated refusal.', now)
    case 'garbage':
      return fault.body === 'truncated' ? undefined : { status: 200, ...garbage[fault.body] }
    default:
      return undefined
  }
}

const json = { 'Content-Type': 'application/json; charset=utf-8' }
const garbage = {
  html: {
    headers: { 'Content-Type': 'text/html' },
    body: '<html><body><h1>Welcome to the captive portal</h1></body></html>',
  },
  empty: { headers: json, body: '' },
  null: { headers: json, body: 'null' },
  'null-list': { headers: json, body: '{"value":null,"nextLink":null}' },
}

/** The true answer as a fault disturbs it. `url` is the request's own. */
export function disturb(answer: Answer, fault: Fault, url: string): Answer {
  const isList = answer.status === 200 && Array.isArray((answer.body as { value?: unknown } | undefined)?.value)
  switch (fault.kind) {
    case 'stall':
    case 'cut':
      return { ...answer, wire: fault.kind }
    case 'garbage':
      return { ...answer, headers: json, body: JSON.stringify(answer.body).slice(0, -5) }
    case 'next-link':
      return isList
        ? { ...answer, body: { ...(answer.body as object), nextLink: fault.to === 'self' ? url : fault.to } }
        : answer
    case 'empty-page':
      // A token for "after the space", which sorts before every name.
      return isList ? { ...answer, body: { value: [], nextLink: `${url}&$skiptoken=IA` } } : answer
    default:
      return answer
  }
}
