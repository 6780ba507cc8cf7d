import t from 'tap'
import type { BundleFormat } from '../../shared/object-spec.ts'
import { initialValues, interpretLive } from '../../sidecar/live.ts'
import { rendering } from '../../sidecar/rendering.ts'
import { reasonOf } from '../../sidecar/render/rendered.ts'
import type { Fetched } from '../../sidecar/vault/vault.ts'
import { secret, spec } from '../sidecar/render/objects.ts'
import { Pki } from '../sidecar/render/pki.ts'
import { longestBlock } from './longest-block.ts'

/*
 * Whatever a vault holds and a template makes of it, the sidecar goes on to answer probes and to poll other vaults: at most ten times
 * as long without a turn of the event loop as with a vault's largest secrets, in time of this thread.
 */
const mostTimes = 10
const tries = 5

const pki = new Pki(t)
const { key, certificates } = pki.chain('P-256', 3)
const pem = { keyId: 'https://my-kv.vault.azure.net/keys/a/1', contentType: 'application/x-pem-file' }
const pkcs12 = { ...pem, contentType: 'application/x-pkcs12' }

interface Input {
  fields?: Parameters<typeof spec>[1]
  values: Fetched[]
  templates?: Record<string, string>
  bundles?: Record<string, BundleFormat>
}

/** Renders an input as a poll does; what cannot be rendered says why. */
async function render({ fields = {}, values, templates = {}, bundles = {} }: Input): Promise<string[]> {
  const objects = values.map((_value, index) => spec(`o${index}`, { ...fields, path: `o${index}` }))
  const render = rendering({ objects, templates, bundles })
  const files = new Map<string, { content: Uint8Array; mode: number }>()
  const said: string[] = []
  for (const [index, value] of values.entries()) {
    try {
      const { files: made, warnings } = await render.object(index, [value])
      for (const { path, content } of made) files.set(path, { content, mode: 0o440 })
      said.push(...warnings)
    } catch (error) {
      said.push(reasonOf(error))
    }
  }
  for (const made of (await render.texts(files)).values()) if (typeof made === 'string') said.push(made)
  return said
}

/** The shortest of several longest blocks; no more are tried once one is short enough. */
async function block(run: () => Promise<unknown>, enough = 0): Promise<number> {
  let best = Infinity
  for (let attempt = 0; attempt < tries && best > enough; attempt++) best = Math.min(best, await longestBlock(run))
  return best
}

const megabyte = 1_000_000
const repeated = (text: string, length = megabyte): string => text.repeat(length / text.length)
const all = (values: string): Input => ({ values: [secret(values)], bundles: { a: 'json', b: 'yaml', c: 'properties', d: 'dotenv' } }) // prettier-ignore
const certificate = (value: string): Input => ({ fields: { split: true }, values: [secret(value, pem)] })
const template = (text: string, value = repeated('a')): Input => ({ values: [secret(value)], templates: { x: text } })
const tlv = (count: number): Buffer => Buffer.concat([Buffer.from([0x30, 0x83, count >> 15, (count >> 7) & 255, (count << 1) & 255]), Buffer.alloc(count * 2, Buffer.from([5, 0]))]) // prettier-ignore

/** A filter runs to its end: of a value forty times as long as Key Vault takes one, it may take twice as long as all else. */
const oneFilter = 20

/** Beside how long it takes: what the sidecar says of it, if it is not to be rendered. */
const inputs: Record<string, { input: Input; says?: RegExp; times?: number }> = {
  'beginnings of PEM without an end': { input: certificate(repeated('-----BEGIN CERTIFICATE-----\n')), says: /no certificate/ },
  'beginnings of PEM, each of its own label': { input: certificate(Array.from({ length: 30_000 }, (_, index) => `-----BEGIN ${index} X-----\n`).join('')), says: /no certificate/ },
  'ends of PEM, each of its own label': { input: certificate(Array.from({ length: 30_000 }, (_, index) => `-----END ${index}-----\n`).join('')), says: /no certificate/ },
  'dashes': { input: certificate(repeated('-')), says: /no certificate/ },
  'a long label': { input: certificate(`-----BEGIN ${repeated('A')}`), says: /no certificate/ },
  'empty blocks of PEM': { input: certificate(repeated('-----BEGIN X-----\n-----END X-----\n')), says: /no certificate/ },
  'thousands of certificates': { input: certificate(repeated(certificates.join(''))), says: /more than 200 certificates/ },
  'authorities of one name': { input: certificate(Array.from({ length: 15 }, () => pki.certificate('Authority', pki.key('P-521'), 'ca')).join('') + key) },
  'a template that reads thousands of certificates': { input: template('{{ o0 | pem_cert }}', repeated(certificates.join(''))), says: /more than 200 certificates/ },
  'a container of small parts': { input: { values: [secret(tlv(400_000).toString('base64'), pkcs12)] }, says: /at most 65536 are read/ },
  'a container of small parts that is just read': { input: { values: [secret(tlv(32_000).toString('base64'), pkcs12)] }, says: /PKCS#12/ },
  'base64 between line breaks': { input: { fields: { encoding: 'base64' }, values: [secret(repeated('A\n'))] } },
  'base64 of padding': { input: { fields: { encoding: 'base64' }, values: [secret(repeated('='))] }, says: /not base64/ },
  'hex': { input: { fields: { encoding: 'hex' }, values: [secret(repeated('ab'))] } },
  'control characters in bundles': { input: all(repeated('\u0085', 400_000)) },
  'line breaks in bundles': { input: all(repeated('\n')) },
  'backslashes in bundles': { input: all(repeated('\\n"')) },
  'spaces in bundles': { input: all(repeated(' ')) },
  'bundles larger than the volume': { input: { values: Array.from({ length: 20 }, () => secret(repeated('a', 100_000))), bundles: { a: 'json' } }, says: /more than 1048576 bytes/ },
  'templates that go round': { input: { ...template(''), templates: Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`x${index}`, '{% for a in (1..3000) %}{% for b in (1..10) %}{% if a == b %}x{% endif %}{% endfor %}{% endfor %}'])) } },
  'a template that repeats a text': { input: template('{% for a in (1..1000000) %}{{ o0 }}{% endfor %}'), says: /1048576 may be/ },
  'a template of filters': { input: template(`{{ o0 ${'| upcase | downcase '.repeat(100)}| size }}`) },
  'a template that splits': { input: template('{% assign x = o0 | split: "" %}{{ x | sort | uniq | size }}'), times: oneFilter },
  'a template that captures': { input: template('{% capture x %}{% for a in (1..1000000) %}{{ o0 }}{% endfor %}{% endcapture %}'), says: /1048576 may be/ },
} // prettier-ignore

const calm: Input = {
  fields: { encoding: 'utf-8' },
  values: [secret(key + certificates.join(''), pem), ...Array.from({ length: 28 }, () => secret(repeated('aA1+\n', 25_000)))],
  templates: { all: Array.from({ length: 28 }, (_, index) => `{{ o${index + 1} }}`).join('') },
  bundles: { json: 'json', yaml: 'yaml', dotenv: 'dotenv', properties: 'properties' },
} // prettier-ignore

void t.test('no secret and no template stops the sidecar', async (t) => {
  t.strictSame(await render(calm), [], 'the calm run is rendered')
  // The clock of a thread goes in steps of 4 ms.
  const usual = Math.max(20, await block(() => render(calm)))
  t.comment(`the calm run: ${usual.toFixed(1)} ms`)
  for (const [name, { input, says, times = mostTimes }] of Object.entries(inputs)) {
    const said = await render(input)
    if (says) t.match(said.join('\n'), says, name)
    const time = await block(() => render(input), times * usual)
    t.ok(time <= times * usual, `${name}: ${time.toFixed(1)} ms`)
  }
})

void t.test('what is wrong with a live annotation is said in a few words', (t) => {
  const bounds = { pollInterval: { min: 1000, max: 100_000 } }
  const defaults = { pollInterval: 60_000, logLevel: 'info', bounds } as const
  const long = repeated('x', 250_000)
  const texts = { refresh: long, suspend: long, 'poll-interval': `${long}s`, 'log-level': long }
  const { problems } = interpretLive(texts, initialValues(defaults), defaults)
  t.equal(problems.length, 3)
  for (const problem of problems) t.ok(problem.length < 300)
  t.end()
})
