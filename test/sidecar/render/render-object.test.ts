import t from 'tap'
import { renderObject } from '../../../sidecar/render/render-object.ts'
import { RenderFailure } from '../../../sidecar/render/rendered.ts'
import { secret, spec, texts, textsOf } from './objects.ts'

void t.test('a secret is written verbatim to its path', async (t) => {
  const object = spec('db-password', { path: 'db/password' })
  t.strictSame(await textsOf(object, secret(' s3cr\r\n€t\n')), { 'db/password': ' s3cr\r\n€t\n' })
})

void t.test('a content type without a key id means nothing', async (t) => {
  const version = secret('aGk=', { contentType: 'application/x-pkcs12' })
  for (const format of ['pem', 'pfx'] as const) {
    const rendered = await renderObject(spec('x', { format }), [version])
    t.strictSame(texts(rendered), { x: 'aGk=' })
    t.strictSame(rendered.warnings, [])
  }
})

void t.test('an encoded secret is decoded', async (t) => {
  t.strictSame(await textsOf(spec('x', { encoding: 'base64' }), secret('aGk=')), { x: 'hi' })
  t.strictSame(await textsOf(spec('x', { encoding: 'hex' }), secret('6869')), { x: 'hi' })
})

void t.test('history writes a file for each version, newest first, and no more than asked for', async (t) => {
  const versions = ['three', 'two', 'one'].map((value) => secret(value))
  t.strictSame(await textsOf(spec('x', { history: 2, path: 'a/x' }), ...versions), {
    'a/x/0': 'three',
    'a/x/1': 'two',
  })
  t.strictSame(await textsOf(spec('x', { history: 9 }), ...versions.slice(1)), { 'x/0': 'two', 'x/1': 'one' })
})

void t.test('history of one is the plain file', async (t) => {
  t.strictSame(await textsOf(spec('x'), secret('new'), secret('old')), { x: 'new' })
})

void t.test('a failure names vault, object and version, and not the value', async (t) => {
  await t.rejects(
    renderObject(spec('token', { encoding: 'base64' }), [secret('s3cr3t!', { version: '0123' })]),
    new RenderFailure(
      'vault my-kv, secret token@0123: the value is not base64: character 7, line breaks aside, is not of its alphabet; store it as base64, or leave encoding out',
    ),
  )
})

void t.test('split of a secret that is no certificate fails', async (t) => {
  await t.rejects(
    renderObject(spec('x', { split: true }), [secret('y')]),
    new RenderFailure(
      'vault my-kv, secret x@v1: split is for certificates, and this secret does not belong to one (it has no key id)',
    ),
  )
})
