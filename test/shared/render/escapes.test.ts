import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import { escapeProperty, percentEncode, shellQuote } from '../../../shared/render/escapes.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'
import { java, properties } from './readers.ts'

const password = `p@ss/w:rd #1 %+"'$x`

void t.test('percent_encode: a password stays one part of a connection string', async (t) => {
  const encoded = percentEncode(password)
  t.equal(encoded, 'p%40ss%2Fw%3Ard%20%231%20%25%2B%22%27%24x')
  const url = new URL(`postgres://app:${encoded}@db/?password=${encoded}#${encoded}`)
  t.equal(url.host, 'db')
  t.equal(decodeURIComponent(url.password), password)
  t.equal(url.searchParams.get('password'), password)
  t.equal(decodeURIComponent(url.hash), `#${password}`)
})

void t.test('percent_encode: an asterisk and what else encodeURIComponent leaves are encoded', async (t) => {
  t.equal(percentEncode("*!'()~-._"), '%2A%21%27%28%29~-._')
})

void t.test('percent_encode: any text is read back by readers of URLs and of forms', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const encoded = percentEncode(text)
      const form = new URLSearchParams(`x=${encoded}`).get('x')
      return (
        /^(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*$/.test(encoded) && decodeURIComponent(encoded) === text && form === text
      )
    }),
  )
})

void t.test('percent_encode: an unpaired surrogate becomes the replacement character', async (t) => {
  t.equal(percentEncode('a\ud83d'), 'a%EF%BF%BD')
})

void t.test('shell_quote: a shell reads any text back and executes none of it', async (t) => {
  const texts = ['', password, "'", "''; exit 3; '", '$(id) `id` \\', 'a\nb\n', '-n', '~', '*', 'ü😀', '!!']
  const words = [...texts, ...fc.sample(fc.string({ unit: 'binary' }), 200)].filter((text) => !text.includes('\0'))
  const printed = execFileSync('sh', ['-s'], { input: `printf '%s\\0' ${words.map(shellQuote).join(' ')}\n` })
  t.strictSame(printed.toString().split('\0').slice(0, -1), words)
})

void t.test('shell_quote: a NUL character is a failure', async (t) => {
  t.throws(() => shellQuote('a\0b'), new RenderFailure('a NUL character cannot be part of a shell word'))
})

void t.test('properties_escape: java.util.Properties reads any text back', async (t) => {
  const texts = [
    '',
    password,
    '  a ',
    '#!:=\\',
    'a\r\n\t\fb',
    'ü😀\u2028',
    ...fc.sample(fc.string({ unit: 'binary' }), 200),
  ]
  const lines = await Promise.all(texts.map(async (text, index) => `k${index}=${await escapeProperty(text)}\n`))
  const expected = Object.fromEntries(texts.map((text, index) => [`k${index}`, text]))
  for (const read of [properties, ...java]) t.strictSame({ ...read(lines.join('')) }, expected)
})
