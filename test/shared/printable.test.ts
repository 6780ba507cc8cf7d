import t from 'tap'
import { printable, printableLines } from '../../shared/printable.ts'

/** Characters that a terminal obeys or that a reader cannot see, with what stands for each. */
const escaped: [what: string, character: string, escape: string][] = [
  ['NUL', '\u0000', '\\u0000'],
  ['ESC, of ANSI sequences', '\u001b', '\\u001b'],
  ['a line feed', '\n', '\\u000a'],
  ['DEL', '\u007f', '\\u007f'],
  ['the first C1 control', '\u0080', '\\u0080'],
  ['CSI, an escape sequence in one character', '\u009b', '\\u009b'],
  ['OSC', '\u009d', '\\u009d'],
  ['the last C1 control', '\u009f', '\\u009f'],
  ['a no-break space', '\u00a0', '\\u00a0'],
  ['a soft hyphen', '\u00ad', '\\u00ad'],
  ['an Arabic letter mark', '\u061c', '\\u061c'],
  ['a Hangul filler', '\u3164', '\\u3164'],
  ['a zero-width space', '\u200b', '\\u200b'],
  ['a zero-width joiner', '\u200d', '\\u200d'],
  ['a right-to-left mark', '\u200f', '\\u200f'],
  ['a line separator', '\u2028', '\\u2028'],
  ['a paragraph separator', '\u2029', '\\u2029'],
  ['a right-to-left override', '\u202e', '\\u202e'],
  ['a word joiner', '\u2060', '\\u2060'],
  ['a first strong isolate', '\u2068', '\\u2068'],
  ['the end of an isolate', '\u2069', '\\u2069'],
  ['a blank braille pattern', '\u2800', '\\u2800'],
  ['a variation selector', '\ufe0f', '\\ufe0f'],
  ['a byte order mark', '\ufeff', '\\ufeff'],
  ['an annotation anchor', '\ufff9', '\\ufff9'],
  ['a noncharacter', '\uffff', '\\uffff'],
  ['half of a pair', '\ud83d', '\\ud83d'],
  ['a character of private use', '\ue000', '\\ue000'],
  ['a tag', '\u{e0041}', '\\udb40\\udc41'],
  ['a variation selector of another plane', '\u{e0100}', '\\udb40\\udd00'],
]

void t.test('printable: terminal controls and invisible characters are escaped', async (t) => {
  for (const [what, character, escape] of escaped) t.equal(printable(`a${character}b`), `a${escape}b`, what)
})

void t.test('printable: visible text stays', async (t) => {
  for (const text of ['', 'vault my-kv, secret "x": 403', 'Schlüssel für 東京', '👍', 'a\\u0000b', "{'a': 1}"])
    t.equal(printable(text), text)
})

void t.test('printable: a JSON text keeps its meaning, and a second pass changes nothing', async (t) => {
  const value = escaped.map(([, character]) => ({ [character]: character }))
  const text = printable(JSON.stringify(value))
  t.match(text, /^[\x20-\x7e]+$/)
  t.strictSame(JSON.parse(text), value)
  t.equal(printable(text), text)
})

void t.test('printable: printing line by line keeps line feeds', async (t) => {
  t.equal(printableLines('a\u009b\n\nb\r'), 'a\\u009b\n\nb\\u000d')
})
