import { execFileSync } from 'node:child_process'
import t from 'tap'
import { printVariable } from '../../../shared/render/variable.ts'

const print = (value: string | Uint8Array, name = 'X'): string =>
  printVariable(name, typeof value === 'string' ? Buffer.from(value) : value).toString()

void t.test('variable: every other value is literal, as a shell reads it between single quotes', async (t) => {
  for (const value of ['a', ' a ', '\\', '$HOME `x` "q" #c', 'one\ntwo\n', '=', 'ä€😀', 'a\rb', '\t']) {
    t.equal(print(value), `X='${value}'\n`)
    const read = execFileSync('sh', ['-c', `${print(value)}printf %s "$X"`]).toString()
    t.equal(read, value)
  }
})

const obstacles: [what: string, value: string | Uint8Array, message: RegExp][] = [
  ['an empty value', '', /^it is empty,/],
  ['a single quote', "o'clock", /^it contains a single quote,/],
  ['NUL', 'a\0b', /^it contains a NUL character,/],
  ['bytes that are not UTF-8', Uint8Array.of(0xff, 0xfe), /^it is not UTF-8 text,/],
  ['lines that end with CRLF', 'a\r\nb', /^it has lines that end with CRLF,/],
  ['a long line', 'x'.repeat(65_532), /^it has a line of 65536 bytes, more than the 65535 that the kubelet reads,/],
  ['a long value', 'x\n'.repeat(65_536), /^it takes 131083 bytes with its name, more than the 131072 of Linux,/],
]
for (const [what, value, message] of obstacles) {
  void t.test(`variable: ${what} is refused with a remedy, and the value is not repeated`, async (t) => {
    t.throws(() => print(value), { name: 'RenderFailure', message })
    t.throws(() => print(value), {
      message: /environment variable X cannot have; store another value, or remove X from/,
    })
  })
}

void t.test('variable: the longest line and the longest value', async (t) => {
  t.equal(print('x'.repeat(65_531)).length, 65_536)
  t.equal(print('x\n'.repeat(65_530) + 'y').length, 65_530 * 2 + 1 + 5)
  t.doesNotThrow(() => print('ä'.repeat(32_765)), 'bytes are counted')
  t.throws(() => print('ä'.repeat(32_767)))
})
