import t from 'tap'
import type { ObjectType } from '../../../shared/objects/formats.ts'
import { answerFailure, describeConnection, placeOf, type Subject } from '../../../shared/vault/explain-failure.ts'
import type { FailureKind } from '../../../shared/vault/store.ts'

const subject = (type: ObjectType = 'secret', operation: Subject['operation'] = 'get'): Subject => ({
  vault: 'my-kv',
  operation,
  type,
  ...(operation !== 'list' && { object: 'db-password' }),
  identity: 'c1',
})

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => ({
  status,
  text: typeof body === 'string' ? body : JSON.stringify(body),
  header: (name: string) => headers[name],
})

const error = (code: string, inner?: string, message = 'In its own words.\r\nMore.') => ({
  error: { code, message, ...(inner !== undefined && { innererror: { code: inner } }) },
})

void t.test('failure messages: each error answer names its cause and its remedy', async (t) => {
  const place = 'vault my-kv, secret db-password'
  type Case = [
    name: string,
    status: number,
    body: unknown,
    kind: FailureKind,
    code: string | undefined,
    message: string,
  ]
  const cases: Case[] = [
    [
      'roles',
      403,
      error('Forbidden', 'ForbiddenByRbac'),
      'forbidden',
      'ForbiddenByRbac',
      '403 ForbiddenByRbac: identity c1 is not allowed to get it; grant "Key Vault Secrets User"',
    ],
    [
      'access policies',
      403,
      error('Forbidden', 'AccessDenied'),
      'forbidden',
      'AccessDenied',
      `403 AccessDenied: identity c1 is not allowed to get it; add "get" to its secret permissions in the vault's access policies`,
    ],
    [
      'disabled',
      403,
      error('Forbidden', 'SecretDisabled'),
      'disabled',
      'SecretDisabled',
      '403 SecretDisabled: this version is disabled; enable it or add a new version',
    ],
    [
      'another inner code',
      403,
      error('Forbidden', 'ForbiddenByPolicy'),
      'forbidden',
      'ForbiddenByPolicy',
      '403 ForbiddenByPolicy: identity c1: In its own words.',
    ],
    [
      'no inner code',
      403,
      error('Forbidden'),
      'forbidden',
      'Forbidden',
      '403 Forbidden: identity c1: In its own words.',
    ],
    ['an empty 403', 403, '', 'forbidden', undefined, '403: identity c1: an empty body, which Key Vault does not send'],
    ['a null 403', 403, 'null', 'forbidden', undefined, '403: identity c1: null'],
    [
      'gone',
      404,
      error('SecretNotFound'),
      'gone',
      'SecretNotFound',
      '404 SecretNotFound: the vault has no secret of this name and version: was it deleted, or does it have another type?',
    ],
    ['a 404 of something else', 404, error('NotFound'), 'not-found', 'NotFound', '404 NotFound: In its own words.'],
    [
      'a 404 whose inner code only says so',
      404,
      error('NotFound', 'SecretNotFound'),
      'not-found',
      'SecretNotFound',
      '404 SecretNotFound: In its own words.',
    ],
    [
      'unauthorized',
      401,
      error('Unauthorized', undefined, 'AKV10022: Invalid audience.'),
      'unauthorized',
      'AKV10022',
      "401 AKV10022: identity c1 signed in, but its token is for another audience; set the annotation azure.keyvault.injector/cloud to the vault's cloud: AKV10022: Invalid audience.",
    ],
    [
      'a tenant that the vault does not trust',
      401,
      error('Unauthorized', undefined, 'AKV10032: Invalid issuer.'),
      'unauthorized',
      'AKV10032',
      "401 AKV10032: identity c1 signed in, but at a tenant that this vault does not trust; set the annotation azure.keyvault.injector/tenant-id (in a SecretProviderClass: tenantID) to the vault's tenant: AKV10032: Invalid issuer.",
    ],
    [
      'another reason to reject the token',
      401,
      error('Unauthorized', undefined, 'AKV10046: Unable to resolve the key.'),
      'unauthorized',
      'AKV10046',
      '401 AKV10046: the vault rejects the token of identity c1: AKV10046: Unable to resolve the key.',
    ],
    [
      'throttled',
      429,
      error('Throttled'),
      'throttled',
      'Throttled',
      '429 Throttled: the vault throttles requests, which are repeated; what was read before stays in use. If it lasts: raise poll-interval, or use several vaults',
    ],
    ['bad request', 400, error('BadParameter'), 'bad-request', 'BadParameter', '400 BadParameter: In its own words.'],
    ['another 4xx', 451, error('No'), 'bad-request', 'No', '451 No: In its own words.'],
    [
      'a conflict',
      409,
      error('Conflict', 'ObjectIsBeingRecovered'),
      'unavailable',
      'ObjectIsBeingRecovered',
      '409 ObjectIsBeingRecovered: In its own words.',
    ],
    ['down', 500, error('InternalError'), 'unavailable', 'InternalError', '500 InternalError: In its own words.'],
    ['down, as text', 503, 'come back later', 'unavailable', undefined, '503: come back later'],
    ['an odd success', 204, '', 'malformed', undefined, '204: the answer is not from Key Vault'],
  ]
  for (const [name, status, body, kind, code, message] of cases) {
    const failure = answerFailure(answer(status, body), subject(), 0)
    t.match(failure, { kind, code, status, message: `${place}: ${message}` }, name)
  }
})

void t.test('failure messages: a network failure advises no role', async (t) => {
  for (const inner of ['ForbiddenByFirewall', 'ForbiddenByConnection']) {
    const { kind, message } = answerFailure(answer(403, error('Forbidden', inner)), subject(), 0)
    t.equal(kind, 'forbidden')
    t.match(message, /network/)
    t.notMatch(message, /grant|Key Vault Secrets User/)
  }
})

void t.test('failure messages: the role depends on the type, the verb on the operation', async (t) => {
  const rbac = (type: ObjectType, operation?: Subject['operation']) =>
    answerFailure(answer(403, error('Forbidden', 'ForbiddenByRbac')), subject(type, operation), 0).message
  t.match(
    rbac('cert'),
    /^vault my-kv, cert db-password: .* is not allowed to get it; grant "Key Vault Certificate User" or "Key Vault Reader"$/,
  )
  t.match(rbac('key'), /grant "Key Vault Crypto User" or "Key Vault Reader"$/)
  t.match(rbac('secret', 'list'), /^vault my-kv, list of secrets: .* is not allowed to list it;/)
  t.match(rbac('secret', 'versions'), /^vault my-kv, versions of secret db-password: .* is not allowed to list it;/)
  const policy = answerFailure(answer(403, error('Forbidden', 'AccessDenied')), subject('cert', 'list'), 0).message
  t.match(policy, /add "list" to its certificate permissions/)
  for (const [type, code] of [
    ['key', 'KeyNotFound'],
    ['cert', 'CertificateNotFound'],
  ] as const) {
    t.equal(answerFailure(answer(404, error(code)), subject(type), 0).kind, 'gone', code)
  }
})

void t.test('failure messages: a body that is not Key Vault’s is described, never quoted', async (t) => {
  const html = '<html>s3cr3t</html>'
  const failure = answerFailure(answer(403, html, { 'content-type': 'text/html; charset=x' }), subject(), 0)
  t.match(failure.message, /text\/html, 19 characters/)
  t.notMatch(failure.message, /s3cr3t/)
})

void t.test('failure messages: a redirect is reported with its target host only', async (t) => {
  const redirect = (location: string) => answerFailure(answer(302, '', { location }), subject(), 0)
  t.match(redirect('https://evil.example:8443/login?token=s3cr3t'), {
    kind: 'malformed',
    message: 'vault my-kv, secret db-password: 302: a redirect to https://evil.example:8443, which is not followed',
  })
  t.notMatch(redirect('/x?y=s3cr3t').message, /s3cr3t/)
})

void t.test('failure messages: Retry-After and the object are part of the failure', async (t) => {
  t.equal(answerFailure(answer(429, '', { 'retry-after': '7' }), subject(), 0).retryAfter, 7000)
  t.equal(answerFailure(answer(429, ''), subject(), 0).retryAfter, undefined)
  t.equal(placeOf({ ...subject(), version: 'v1' }), 'vault my-kv, secret db-password@v1')
  t.equal(placeOf(subject('key', 'list')), 'vault my-kv, list of keys')
})

void t.test('failure messages: each connection error names host, port and remedy', async (t) => {
  const cases: [name: string, error: unknown, code: string | undefined, text: RegExp][] = [
    [
      'DNS',
      { code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND x' },
      'ENOTFOUND',
      /^ENOTFOUND: the name of kv.example:443 does not resolve/,
    ],
    [
      'a reset',
      { code: 'ECONNRESET', message: 'socket hang up' },
      'ECONNRESET',
      /^ECONNRESET: the connection to kv.example:443 failed: socket hang up$/,
    ],
    [
      'an unknown CA',
      { code: 'SELF_SIGNED_CERT_IN_CHAIN', message: 'x' },
      'SELF_SIGNED_CERT_IN_CHAIN',
      /caCertificates/,
    ],
    [
      'another CA of the same name',
      { code: 'CERT_SIGNATURE_FAILURE', message: 'x' },
      'CERT_SIGNATURE_FAILURE',
      /caCertificates/,
    ],
    [
      'no leaf signature',
      { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', message: 'x' },
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      /caCertificates/,
    ],
    ['an expired certificate', { code: 'CERT_HAS_EXPIRED', message: 'x' }, 'CERT_HAS_EXPIRED', /expired/],
    ['a clock set back', { code: 'CERT_NOT_YET_VALID', message: 'x' }, 'CERT_NOT_YET_VALID', /clock/],
    [
      'both addresses',
      { code: 'ECONNREFUSED', message: '' },
      'ECONNREFUSED',
      /^ECONNREFUSED: kv.example:443 refused the connection/,
    ],
    ['nothing known', {}, undefined, /^the connection to kv.example:443 failed$/],
  ]
  for (const [name, thrown, code, text] of cases)
    t.match(describeConnection(thrown, 'kv.example:443'), { code, text }, name)
})
