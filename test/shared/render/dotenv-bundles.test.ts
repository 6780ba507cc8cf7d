import fc from 'fast-check'
import t from 'tap'
import { variableName } from '../../../shared/render/bundle.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'
import { node, shell } from './readers.ts'
import { render, values } from './bundle-values.ts'

const forDotenv = Object.entries(values).filter(([, value]) => !value.includes('\r'))

void t.test('dotenv bundle: Node reads every value back', async (t) => {
  const text = await render('dotenv', Object.fromEntries(forDotenv))
  t.strictSame({ ...node(text) }, Object.fromEntries(forDotenv.map(([name, value]) => [variableName(name), value])))
})

void t.test('dotenv bundle: a shell reads back every value that it accepts', async (t) => {
  const refused: string[] = []
  const accepted: [string, string][] = []
  for (const [name, value] of forDotenv) {
    const text = await render('dotenv', { [name]: value })
    if (!text.startsWith(': ')) accepted.push([name, value])
    else {
      refused.push(name)
      t.throws(() => shell(text), /this file has a value that dotenv parsers can read and a shell cannot/, name)
    }
  }
  t.strictSame(refused, ['both-quotes', 'backslash', 'json', 'quote-and-dollar'])
  const text = await render('dotenv', Object.fromEntries(accepted))
  t.strictSame(shell(text), Object.fromEntries(accepted.map(([name, value]) => [variableName(name), value])))
})

void t.test('dotenv bundle: a shell never executes a value', async (t) => {
  for (const value of [
    `'$(echo ran >&2)"`,
    "it's $(echo ran >&2)",
    "it's `echo ran >&2`",
    "'; echo ran >&2; '",
    'x\\',
    `$(echo ran >&2)'\\`,
  ]) {
    const text = await render('dotenv', { first: 'y', value })
    try {
      t.strictSame(shell(text), { FIRST: 'y', VALUE: value })
    } catch (error) {
      const { stderr } = error as { stderr: Buffer }
      t.match(
        stderr.toString(),
        /DOTENV_ONLY: this file has a value that dotenv parsers can read and a shell cannot\n$/,
      )
    }
    t.strictSame({ ...node(text) }, { FIRST: 'y', VALUE: value })
  }
})

void t.test('dotenv bundle: any text is read back or rejected', async () => {
  const text = fc.string({ unit: fc.constantFrom(...`'"\`$#=\\ \n\tabnr\r;!{}😀\u00a0\u2028`), maxLength: 12 })
  const hostile = (value: string) =>
    /[\r\0]/.test(value) || [/'|\\$/, /"|\\[nr]|\\$/, /`|\\$/].every((style) => style.test(value))
  let shells = 0
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 4 }), async (list) => {
      const entries = Object.fromEntries(list.map((value, index) => [`v-${index}`, value]))
      const expected = Object.fromEntries(list.map((value, index) => [`V_${index}`, value]))
      const same = (found: Record<string, unknown>) =>
        Object.entries(expected).every(([name, value]) => found[name] === value)
      let printed: string
      try {
        printed = await render('dotenv', entries)
      } catch (error) {
        return error instanceof RenderFailure && list.some(hostile)
      }
      if (!same(node(printed))) return false
      // A shell for each would take minutes.
      return printed.startsWith(': ') || shells++ % 10 !== 0 || same(shell(printed))
    }),
    { numRuns: 1000 },
  )
})
