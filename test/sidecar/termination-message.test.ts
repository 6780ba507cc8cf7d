import fc from 'fast-check'
import t from 'tap'
import { longestMessage, terminationMessage } from '../../sidecar/termination-message.ts'

const link = '(docs: troubleshooting.md#sidecar-forbidden)'
const message = (lines: readonly string[]): string => terminationMessage(lines, 'forbidden')

void t.test('termination message: it ends with the link, which is never cut', async (t) => {
  t.equal(message(['a', 'b']), `a\nb ${link}`)
  t.equal(message([]), link)
  const lines = Array.from({ length: 100 }, (_, index) => `${index}: ${'x'.repeat(90)}`)
  t.match(message(lines), /^0: x+\n1: [^]*\n\.\.\. and \d+ more; see the log \(docs: \S+\)$/)
  t.ok(Buffer.byteLength(message(lines)) <= 1536, 'what the kubelet keeps of one of eight containers')
  t.match(message(['\u20ac'.repeat(2000)]), /^\u20ac+ \(docs: \S+\)$/, 'no character is cut in half')
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 3000, size: 'max' }), { maxLength: 5 }), (some) => {
      const text = message(some)
      return Buffer.byteLength(text) <= longestMessage && text.isWellFormed() && text.endsWith(link)
    }),
  )
})
