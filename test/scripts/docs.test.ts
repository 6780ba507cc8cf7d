import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checks, type CheckName } from '../../cli/check/checks.ts'
import { helpOf as helpOfCheck } from '../../cli/check/finding.ts'
import { documents, fill, generate } from '../../scripts/docs.ts'

void t.test('docs: the generated parts are up to date', async (t) => {
  for (const file of documents()) {
    const text = readFileSync(file, 'utf8')
    t.equal(generate(file, text), text, `${file} (node scripts/docs.ts writes it)`)
  }
})

void t.test('docs: an unknown generated block is an error', async (t) => {
  t.throws(() => fill('<!-- nothing -->\n<!-- /nothing -->'), /unknown block "nothing"/)
})

void t.test('docs: every check of an installation has the section that its findings link to', async (t) => {
  for (const check of Object.keys(checks) as CheckName[]) {
    const [file = '', anchor = ''] = helpOfCheck(check).split('#')
    t.ok(readFileSync(join('docs', file), 'utf8').includes(`\n### ${anchor}\n`), helpOfCheck(check))
  }
})

void t.test('docs: every decision page has context, decision and consequences, in this order', async (t) => {
  for (const page of globSync('docs/decisions/[0-9]*.md')) {
    const headings = [...readFileSync(page, 'utf8').matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)
    t.strictSame(headings, ['Context', 'Decision', 'Consequences'], page)
  }
})
