import fc from 'fast-check'
import t from 'tap'
import { decodeBase64, decodeHex, decodeSecret } from '../../../shared/render/decode.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'

const right: [name: string, encoding: 'utf-8' | 'base64' | 'hex', value: string, bytes: string][] = [
  ['utf-8 is verbatim, line breaks and trailing spaces included', 'utf-8', ' a\r\nb \n', ' a\r\nb \n'],
  ['utf-8 keeps text that looks like base64', 'utf-8', 'aGk=', 'aGk='],
  ['an empty value is an empty file', 'utf-8', '', ''],
  ['base64 without padding', 'base64', 'aGVq', 'hej'],
  ['base64 with one padding character', 'base64', 'aGk=', 'hi'],
  ['base64 with two padding characters', 'base64', 'aA==', 'h'],
  ['base64 in lines, as openssl and certutil write it', 'base64', 'aG\r\nVq\naGk=\n', 'hejhi'],
  ['base64 of nothing', 'base64', '', ''],
  ['hex of both cases', 'hex', '6A4b4B', 'jKK'],
  ['hex of nothing', 'hex', '', ''],
]
for (const [name, encoding, value, bytes] of right) {
  void t.test(`decoding: ${name}`, async (t) =>
    t.equal(Buffer.from(decodeSecret(value, encoding)).toString('latin1'), bytes),
  )
}

const wrong: [name: string, encoding: 'base64' | 'hex', value: string, message: string][] = [
  [
    'a space in base64',
    'base64',
    'aG k',
    'the value is not base64: character 3, line breaks aside, is not of its alphabet',
  ],
  [
    'the URL alphabet',
    'base64',
    'aG-_',
    'the value is not base64: character 3, line breaks aside, is of the URL alphabet; the standard one is expected',
  ],
  ['missing padding', 'base64', 'aGk', 'the value is not base64: 3 characters with padding are not a multiple of 4'],
  ['too much padding', 'base64', 'aGVq=', 'the value is not base64: 5 characters with padding are not a multiple of 4'],
  [
    'three padding characters',
    'base64',
    'a===',
    'the value is not base64: character 2, line breaks aside, is padding before the end',
  ],
  [
    'nothing but padding',
    'base64',
    '====',
    'the value is not base64: character 1, line breaks aside, is padding before the end',
  ],
  [
    'padding in the middle',
    'base64',
    'aA==aA==',
    'the value is not base64: character 3, line breaks aside, is padding before the end',
  ],
  [
    'a character beyond ASCII',
    'base64',
    'aGé=',
    'the value is not base64: character 3, line breaks aside, is not of its alphabet',
  ],
  ['an odd number of digits', 'hex', 'abc', 'the value is not hex: it has an odd number (3) of digits'],
  ['a prefix before hex', 'hex', '0xab', 'the value is not hex: character 2 is not a digit of it'],
  ['a line break in hex', 'hex', 'ab\ncd', 'the value is not hex: character 3 is not a digit of it'],
]
for (const [name, encoding, value, message] of wrong) {
  void t.test(`decoding: ${name} is rejected`, async (t) =>
    t.throws(
      () => decodeSecret(value, encoding),
      new RenderFailure(`${message}; store it as ${encoding}, or leave encoding out`),
    ),
  )
}

void t.test('decoding: both encodings read any bytes back', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const expected = Buffer.from(bytes)
      return (
        expected.equals(decodeBase64(expected.toString('base64'))) &&
        expected.equals(decodeHex(expected.toString('hex')))
      )
    }),
  )
})

void t.test('decoding: a text is either rejected or means exactly what the standard says', async () => {
  const alphabet = fc.constantFrom(...'AQgw09af+/=-_ \n\ré')
  fc.assert(
    fc.property(fc.string({ unit: alphabet, maxLength: 12 }), (text) => {
      const joined = text.replace(/[\r\n]/g, '')
      const legal = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(joined)
      let decoded: Buffer | undefined
      try {
        decoded = decodeBase64(text)
      } catch (error) {
        return !legal && error instanceof RenderFailure
      }
      return legal && decoded.length === (joined.length / 4) * 3 - (/=*$/.exec(joined)?.[0].length ?? 0)
    }),
    { numRuns: 2000 },
  )
})
