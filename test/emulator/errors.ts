/** An answer to a request: what to send, or what to do to the connection instead. */
export interface Answer {
  status: number
  headers?: Record<string, string>
  /** A string is sent as it is; anything else as JSON; absent means an empty body. */
  body?: unknown
  /** How the connection misbehaves: never an answer, a reset, half the body and then silence, half the body and then a reset. */
  wire?: 'hang' | 'reset' | 'stall' | 'cut'
}

/** Thrown by a handler to end the request with Key Vault's error body. */
export class VaultError extends Error {
  readonly answer: Answer
  constructor(status: number, code: string, message: string, inner?: string, headers?: Record<string, string>) {
    super(message)
    this.answer = vaultError(status, code, message, inner, headers)
  }
}

/** Key Vault's error body: `{error: {code, message, innererror: {code}}}`. */
export function vaultError(
  status: number,
  code: string,
  message: string,
  inner?: string,
  headers?: Record<string, string>,
): Answer {
  const error = { code, message, ...(inner && { innererror: { code: inner } }) }
  return { status, ...(headers && { headers }), body: { error } }
}

/** HTTP status and OAuth error of the `AADSTS` codes that the token endpoint knows (Entra ID's error reference). */
const aadsts: Record<number, [status: number, error: string]> = {
  50027: [400, 'invalid_request'],
  70003: [400, 'unsupported_grant_type'],
  70011: [400, 'invalid_scope'],
  70021: [400, 'invalid_request'],
  90002: [400, 'invalid_request'],
  90014: [400, 'invalid_request'],
  90033: [503, 'temporarily_unavailable'],
  90055: [429, 'temporarily_unavailable'],
  700016: [400, 'unauthorized_client'],
  700024: [401, 'invalid_client'],
  700027: [401, 'invalid_client'],
  700211: [401, 'invalid_client'],
  700212: [401, 'invalid_client'],
  700213: [401, 'invalid_client'],
  7000218: [401, 'invalid_client'],
}

/** Entra ID's error body for an `AADSTS` code; codes outside the table are `invalid_request`. */
export function aadstsError(code: number, message: string, now: number): Answer {
  const [status, error] = aadsts[code] ?? [400, 'invalid_request']
  const trace = crypto.randomUUID()
  const correlation = crypto.randomUUID()
  const timestamp = new Date(now).toISOString().replace('T', ' ').replace(/\..*/, 'Z')
  return {
    status,
    body: {
      error,
      error_description: `AADSTS${code}: ${message} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
      error_codes: [code],
      timestamp,
      trace_id: trace,
      correlation_id: correlation,
      error_uri: `https://login.microsoftonline.com/error?code=${code}`,
    },
  }
}
