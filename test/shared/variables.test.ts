import t from 'tap'
import { parseVariables } from '../../shared/annotations/variables.ts'

const good: [text: string, expected: [name: string, source: string][]][] = [
  ['A=a', [['A', 'a']]],
  [
    ' A = a ,\n_b2=cert/b\n\n',
    [
      ['A', 'a'],
      ['_b2', 'cert/b'],
    ],
  ],
  ['URL=template:conf/url=x', [['URL', 'template:conf/url=x']]],
]
for (const [text, expected] of good) {
  void t.test(`env ${JSON.stringify(text)}`, async (t) => {
    t.strictSame(parseVariables(text), { ok: true, value: expected.map(([name, source]) => ({ name, source })) })
  })
}

const bad: [text: string, problem: string | RegExp][] = [
  ['', /^is empty: list variables as NAME=object/],
  [' ,\n', /^is empty/],
  ['A', 'entry "A": expected NAME=object, such as DB_PASSWORD=db-password'],
  ['A=', /^entry "A=": expected NAME=object/],
  ['=a', /a name of a variable has/],
  ['db-password=a', /no digit first \(did you mean "DB_PASSWORD"\?\)$/],
  ['2FA=a', /\(did you mean "_2FA"\?\)$/],
  ['__proto__ x=a', /a name of a variable has/],
  ['A=a,B=b,A=c', 'A is listed twice'],
  [`${'A'.repeat(257)}=a`, /a name of a variable has/],
  [Array.from({ length: 101 }, (_, index) => `A${index}=a`).join(), '101 are more than 100 variables'],
  ['A=a\n'.repeat(40_000), /^the text has 160000 characters/],
]
for (const [text, problem] of bad) {
  void t.test(`env ${JSON.stringify(text.slice(0, 40))} is refused`, async (t) => {
    t.match(parseVariables(text), { ok: false, problems: [problem] })
  })
}

void t.test('env: names of properties of objects are ordinary names', async (t) => {
  t.match(parseVariables('__proto__=a, constructor=b'), {
    ok: true,
    value: [{ name: '__proto__' }, { name: 'constructor' }],
  })
})
