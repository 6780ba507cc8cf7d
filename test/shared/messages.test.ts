import fc from 'fast-check'
import t from 'tap'
import { didYouMean, nearest, quote } from '../../shared/messages.ts'

const known = ['objects', 'signal', 'signal-container', 'poll-interval', 'vault']

const typos: [typo: string, meant: string | undefined][] = [
  ['object', 'objects'],
  ['OBJECTS', 'objects'],
  ['singal', 'signal'],
  ['signal-contianer', 'signal-container'],
  ['pollinterval', 'poll-interval'],
  ['vaults', 'vault'],
  ['vualt', 'vault'],
  ['frequency', undefined],
  ['', undefined],
  ['x', undefined],
]
for (const [typo, meant] of typos) {
  void t.test(`messages: ${JSON.stringify(typo)} suggests ${meant ?? 'nothing'}`, async (t) => {
    t.equal(nearest(typo, known), meant)
    t.equal(didYouMean(typo, known), meant === undefined ? '' : ` (did you mean "${meant}"?)`)
  })
}

void t.test('messages: a known name suggests itself, and a long name with one typo the right one', async () => {
  fc.assert(
    fc.property(fc.constantFrom(...known), fc.nat(), fc.constantFrom('', 'x', '-'), (name, at, put) => {
      const edited = name.slice(0, at % name.length) + put + name.slice((at % name.length) + 1)
      return nearest(name, known) === name && nearest(edited, [name]) === name
    }),
  )
})

void t.test('messages: a very long input costs little', async (t) => {
  t.equal(nearest('x'.repeat(1_000_000), known), undefined)
})

const quoted: [text: string, shown: string][] = [
  ['plain', '"plain"'],
  ['say "hi"', '"say \\"hi\\""'],
  ['two\nlines\u0000', '"two\\nlines\\u0000"'],
  ['x'.repeat(80), `"${'x'.repeat(80)}"`],
  ['x'.repeat(81), `"${'x'.repeat(77)}..."`],
  [`${'x'.repeat(76)}😀${'x'.repeat(10)}`, `"${'x'.repeat(76)}\\ud83d..."`],
]
for (const [text, shown] of quoted) {
  void t.test(`messages: a quoted text is shown as ${shown}`, async (t) => t.equal(quote(text), shown))
}
