import fc from 'fast-check'
import t from 'tap'
import { longestMessage } from '../../shared/termination-limit.ts'
import { containersIn, terminationMessage } from '../../sidecar/termination-message.ts'

const link = '(docs: troubleshooting.md#sidecar-forbidden)'
const message = (lines: readonly string[], containers?: number): string =>
  terminationMessage({ lines, outcome: 'forbidden' }, longestMessage(containers))
/** What the kubelet keeps in a pod of so many containers. */
const kept = (text: string, containers: number): string =>
  Buffer.from(text)
    .subarray(0, Math.floor(12288 / containers))
    .toString()

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
      return Buffer.byteLength(text) <= 1536 && text.isWellFormed() && text.endsWith(link)
    }),
  )
})

void t.test('termination message: in a pod of many containers, the kubelet keeps all of it', async (t) => {
  t.equal(longestMessage(30), 409)
  t.equal(longestMessage(9), 1365)
  for (const few of [undefined, 1, 8]) t.equal(longestMessage(few), 1536)
  const long = message(['\u20ac'.repeat(2000)], 30)
  t.ok(Buffer.byteLength(long) <= 409 && Buffer.byteLength(long) > 400, 'and uses the space')
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 3000, size: 'max' }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 500 }),
      (some, containers) => {
        const text = message(some, containers)
        const isLinked = text.endsWith(link) || 12288 / containers < link.length + 1
        return kept(text, containers) === text && text.isWellFormed() && isLinked
      },
    ),
  )
  t.match(message(['vault kv: 403'], 500), /^vault kv: 4/, 'if the link alone is too long, there is only text')
})

void t.test('termination message: only a number in the variable is the number of containers', async (t) => {
  t.equal(containersIn('30'), 30)
  for (const text of [undefined, '', ' ', '-30', '3.5', '1e3', 'NaN', '30 ', '9'.repeat(400)])
    t.equal(containersIn(text), undefined, `"${text}"`)
  t.equal(message(['x'.repeat(50)], 999_999), '', 'a large one leaves no space')
})
