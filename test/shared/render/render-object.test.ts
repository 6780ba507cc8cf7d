import t from 'tap'
import { renderObject } from '../../../shared/render/render-object.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'
import { secret, texts, textsOf } from './objects.ts'
import { objectSpec } from '../../support/object-spec.ts'

void t.test('secret: it is written verbatim to its path', async (t) => {
  const object = objectSpec('db-password', { path: 'db/password' })
  t.strictSame(await textsOf(object, secret(' s3cr\r\n€t\n')), { 'db/password': ' s3cr\r\n€t\n' })
})

void t.test(
  'secret: a content type without a key id changes nothing unless requested, and causes a warning',
  async (t) => {
    const version = secret('aGk=', { contentType: 'application/x-pkcs12' })
    for (const format of ['pem', 'pfx'] as const) {
      const rendered = await renderObject(objectSpec('x', { format }), [version])
      t.strictSame(texts(rendered), { x: 'aGk=' })
      const warning =
        'vault my-kv, secret x@v1: written as it is, although its content type is application/x-pkcs12: set format or split to treat it as a certificate'
      t.strictSame(rendered.warnings, format === 'pem' ? [warning] : [])
    }
    const decoded = await renderObject(objectSpec('x', { encoding: 'base64' }), [version])
    t.strictSame([texts(decoded), decoded.warnings], [{ x: 'hi' }, []])
  },
)

void t.test('secret: an encoded value is decoded', async (t) => {
  t.strictSame(await textsOf(objectSpec('x', { encoding: 'base64' }), secret('aGk=')), { x: 'hi' })
  t.strictSame(await textsOf(objectSpec('x', { encoding: 'hex' }), secret('6869')), { x: 'hi' })
})

void t.test('history: each version has a file, newest first, at most as many as requested', async (t) => {
  const versions = ['three', 'two', 'one'].map((value) => secret(value))
  t.strictSame(await textsOf(objectSpec('x', { history: 2, path: 'a/x' }), ...versions), {
    'a/x/0': 'three',
    'a/x/1': 'two',
  })
  t.strictSame(await textsOf(objectSpec('x', { history: 9 }), ...versions.slice(1)), { 'x/0': 'two', 'x/1': 'one' })
})

void t.test('history: one version is the plain file', async (t) => {
  t.strictSame(await textsOf(objectSpec('x'), secret('new'), secret('old')), { x: 'new' })
})

void t.test('rendering: a failure names vault, object and version, and not the value', async (t) => {
  await t.rejects(
    renderObject(objectSpec('token', { encoding: 'base64' }), [secret('s3cr3t!', { version: '0123' })]),
    new RenderFailure(
      'vault my-kv, secret token@0123: the value is not base64: character 7, line breaks aside, is not of its alphabet; store it as base64, or leave encoding out',
    ),
  )
})

void t.test('split: a secret that is not a certificate fails', async (t) => {
  await t.rejects(
    renderObject(objectSpec('x', { split: true }), [secret('y')]),
    new RenderFailure(
      'vault my-kv, secret x@v1: split is for certificates, and this secret does not belong to one (it has no key id)',
    ),
  )
})
