import { Readable } from 'node:stream'
import t from 'tap'
import {
  BodyTooLarge,
  readBody,
  retryAfterOf,
  serviceError,
  type ServiceError,
} from '../../../shared/vault/http-answer.ts'

const answer = (text: string, headers: Record<string, string> = {}) => ({
  text,
  header: (name: string) => headers[name],
})

void t.test('HTTP answers: code and message of an error body are read', async (t) => {
  const cases: [name: string, text: string, expected: ServiceError, type?: string][] = [
    [
      "Key Vault's",
      '{"error":{"code":"Forbidden","message":"Caller is not authorized.\\r\\nCaller: appid=x","innererror":{"code":"ForbiddenByRbac"}}}',
      { code: 'Forbidden', inner: 'ForbiddenByRbac', words: 'Caller is not authorized.' },
    ],
    [
      'the innermost code',
      '{"error":{"code":"A","innererror":{"code":"B","innererror":{"code":"C"}}}}',
      { code: 'A', inner: 'C' },
    ],
    ['an empty inner code', '{"error":{"code":"A","message":"m","innererror":{"code":""}}}', { code: 'A', words: 'm' }],
    [
      "Entra ID's, without its trace ids",
      '{"error":"invalid_client","error_description":"AADSTS7000215: Bad. Trace ID: 1 Correlation ID: 2"}',
      { code: 'invalid_client', words: 'AADSTS7000215: Bad.' },
    ],
    ['a text in error', '{"error":"went wrong"}', { words: 'went wrong' }],
    ['plain text', 'too busy\nsecond line', { words: 'too busy' }],
    ['control characters', '{"error":{"message":"a\\u0000b\\u001b[31mc"}}', { words: 'a\\u0000b\\u001b[31mc' }],
    ['an overlong text', 'x'.repeat(400), { words: `${'x'.repeat(300)}...` }],
    ['a code that is none', '{"error":{"code":"<script>","message":"m"}}', { words: 'm' }],
    ['HTML', '<html><body>Blocked</body></html>', {}],
    ['HTML by its type', 'Blocked', {}, 'text/html; charset=utf-8'],
    ['an empty body', '', {}],
    ['null', 'null', { words: 'null' }],
    ['an error of null', '{"error":null}', {}],
    ['an error of numbers', '{"error":{"code":1,"message":2,"innererror":3}}', {}],
  ]
  for (const [name, text, expected, type] of cases) {
    t.strictSame(serviceError(answer(text, type === undefined ? {} : { 'content-type': type })), expected, name)
  }
})

void t.test('HTTP answers: Retry-After is read as seconds or date, within bounds', async (t) => {
  const now = Date.parse('2030-01-01T00:00:00Z')
  const cases: [name: string, headers: Record<string, string>, expected: number | undefined][] = [
    ['absent', {}, undefined],
    ['seconds', { 'retry-after': '30' }, 30_000],
    ['zero', { 'retry-after': '0' }, 0],
    ['a fraction', { 'retry-after': ' 1.5 ' }, 1500],
    ['a date, by our clock', { 'retry-after': 'Tue, 01 Jan 2030 00:01:00 GMT' }, 60_000],
    [
      "a date, by the server's clock",
      { 'retry-after': 'Mon, 31 Dec 2029 00:01:00 GMT', date: 'Mon, 31 Dec 2029 00:00:50 GMT' },
      10_000,
    ],
    ['a date that has passed', { 'retry-after': 'Mon, 31 Dec 2029 00:00:00 GMT' }, 0],
    ['negative', { 'retry-after': '-3' }, undefined],
    ['nonsense', { 'retry-after': 'soon' }, undefined],
    ['an hour', { 'retry-after': '3600' }, 15 * 60_000],
    ['more than a number holds', { 'retry-after': '9'.repeat(400) }, 15 * 60_000],
    ['a date in a century', { 'retry-after': 'Tue, 01 Jan 2130 00:00:00 GMT' }, 15 * 60_000],
    [
      'a date a year after a wrong Date',
      { 'retry-after': 'Tue, 01 Jan 2030 00:00:00 GMT', date: 'Mon, 01 Jan 2029 00:00:00 GMT' },
      15 * 60_000,
    ],
  ]
  for (const [name, headers, expected] of cases) t.equal(retryAfterOf(answer('', headers), now), expected, name)
})

void t.test('HTTP answers: a body is read up to its limit', async (t) => {
  t.equal(await readBody(Readable.from([Buffer.from('\uFEFFgrü'), Buffer.from('ße')]), 100), 'grüße', 'without a BOM')
  const split = Buffer.from('ü')
  t.equal(await readBody(Readable.from([split.subarray(0, 1), split.subarray(1)])), 'ü', 'a character in two chunks')
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1000)
    })(),
  )
  await t.rejects(readBody(endless, 10_000), BodyTooLarge)
  t.ok(endless.destroyed, 'and no further')
})
