import { request } from 'node:https'
import { text } from 'node:stream/consumers'

export interface Asked {
  method?: string
  /** The CA to trust (PEM) instead of the well-known ones. */
  ca?: string | undefined
  token?: string | undefined
  /** Sent as JSON. */
  body?: unknown
  /** Sent in place of a body, as a form. */
  form?: Record<string, string>
}

/** One HTTPS request with a CA of its own, which `fetch` cannot have. Rejects if there is no answer within 5 s. */
export async function ask(url: string, { method = 'GET', ca, token, body, form }: Asked = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  const headers = {
    ...(token && { authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
  }
  request(url, { method, headers, ...(ca && { ca }), signal: AbortSignal.timeout(5000) }, (response) => {
    text(response).then((content) => resolve({ status: response.statusCode ?? 0, body: content }), reject)
  })
    .on('error', reject)
    .end(form ? new URLSearchParams(form).toString() : JSON.stringify(body))
  return promise
}
