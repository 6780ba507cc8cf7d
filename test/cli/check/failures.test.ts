import t from 'tap'
import { remedyOf } from '../../../cli/check/failures.ts'
import { answerFailure, describeConnection, type Subject } from '../../../shared/vault/explain-failure.ts'

const subject: Subject = { vault: 'my-kv', operation: 'get', type: 'secret', object: 'a', identity: '1' }
/** The sidecar's message about an answer of Key Vault. */
function messageOf(status: number, code: string, words = 'no', inner?: string): string {
  const error = { code, message: words, ...(inner === undefined ? {} : { innererror: { code: inner } }) }
  const answer = { status, text: JSON.stringify({ error }), header: () => undefined }
  return answerFailure(answer, subject, 0).message
}
const connection = (code: string): string =>
  describeConnection(Object.assign(new Error('failed'), { code }), 'my-kv.vault.azure.net:443').text

void t.test('check: each message of the sidecar has the remedy of its cause', async (t) => {
  const cases: [message: string, remedy: RegExp][] = [
    [messageOf(401, 'Unauthorized', 'AKV10032: Invalid issuer'), /^wrong tenant/],
    [messageOf(403, 'Forbidden', 'no', 'ForbiddenByRbac'), /^grant the identity/],
    [messageOf(403, 'Forbidden', 'no', 'AccessDenied'), /^grant the identity/],
    [messageOf(403, 'Forbidden', 'no', 'ForbiddenByFirewall'), /^allow the cluster's network/],
    [messageOf(403, 'Forbidden', 'no', 'ForbiddenByConnection'), /^allow the cluster's network/],
    [messageOf(429, 'Throttled'), /^raise poll-interval/],
    [messageOf(404, 'SecretNotFound'), /^do what the message says/],
    ...['ENOTFOUND', 'EAI_AGAIN'].map((code): [string, RegExp] => [connection(code), /^vault unreachable: correct/]),
    ...['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'].map((code): [string, RegExp] => [
      connection(code),
      /^vault unreachable: check NetworkPolicies/,
    ]),
    ...['CERT_HAS_EXPIRED', 'SELF_SIGNED_CERT_IN_CHAIN', 'ERR_TLS_CERT_ALTNAME_INVALID'].map(
      (code): [string, RegExp] => [connection(code), /^add the CA/],
    ),
  ]
  for (const [message, remedy] of cases) t.match(remedyOf(message), remedy, message)
})
