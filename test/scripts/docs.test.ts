import { readFileSync } from 'node:fs'
import t from 'tap'
import { documents, fill } from '../../scripts/docs.ts'

void t.test('what the documentation takes from the code is up to date', async (t) => {
  for (const file of documents()) {
    const text = readFileSync(file, 'utf8')
    t.equal(fill(text), text, `${file} (node scripts/docs.ts writes it)`)
  }
})

void t.test('a block that nobody makes is an error', async (t) => {
  t.throws(() => fill('<!-- nothing -->\n<!-- /nothing -->'), /nobody makes the block "nothing"/)
})
