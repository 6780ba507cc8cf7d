import { registerHooks } from 'node:module'
import t from 'tap'
import { pemSecret, pkcs12Secret, secret } from './objects.ts'
import { Pki } from '../../support/pki.ts'
import { objectSpec } from '../../support/object-spec.ts'

const pki = new Pki(t)
const chain = pki.chain('P-256', 1)
const loaded = new Set<string>()
const hooks = registerHooks({
  resolve(specifier, context, next) {
    loaded.add(specifier)
    return next(specifier, context)
  },
})
t.teardown(() => hooks.deregister())

const heavy = () => ['node-forge', 'liquidjs', 'yaml'].filter((library) => loaded.has(library))

void t.test(
  'rendering: code that a plain secret does not need is loaded with the first object that does',
  async (t) => {
    const { renderObject } = await import('../../../shared/render/render-object.ts')
    await renderObject(objectSpec('x', { encoding: 'base64' }), [secret('aGk=')])
    await renderObject(objectSpec('x', { split: true }), [pemSecret(chain.key + chain.certificates.join(''))])
    await renderObject(objectSpec('x', { property: 'a' }), [secret('{"a":"b"}')])
    t.strictSame(heavy(), [], 'plain secrets, fields of JSON and PEM')

    await renderObject(objectSpec('x'), [pkcs12Secret(pki.pkcs12(chain))])
    t.strictSame(heavy(), ['node-forge'], 'PKCS#12')

    const { renderBundle } = await import('../../../shared/render/bundles.ts')
    for (const format of ['dotenv', 'json', 'properties'] as const) await renderBundle(format, [], new Map())
    t.strictSame(heavy(), ['node-forge'], 'bundles of our own')

    await renderBundle('yaml', [], new Map())
    t.strictSame(heavy(), ['node-forge', 'yaml'], 'YAML')

    await import('../../../shared/render/templates.ts')
    t.strictSame(heavy(), ['node-forge', 'liquidjs', 'yaml'], 'templates')
  },
)
