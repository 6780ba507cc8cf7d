import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import t from 'tap'
import { injectDocuments } from '../../cli/inject.ts'
import { createLogger } from '../../shared/log.ts'
import { configurationOf, planInputs } from '../webhook/default-configuration.ts'

const { image, version } = planInputs()
const examples = globSync('manifests/examples/apps/*.yaml').sort()

void t.test('examples: each app is injected without a warning', async (t) => {
  for (const file of examples) {
    const log = createLogger('error')
    const options = { namespace: 'shop', configuration: configurationOf(), image, version, log }
    const result = await injectDocuments(readFileSync(file, 'utf8'), options)
    t.ok(result.ok, file)
    if (!result.ok) continue
    const { reports } = result.value
    t.strictSame(
      reports.map(({ outcome, problems, warnings }) => ({ outcome, problems, warnings })),
      [{ outcome: 'injected', problems: [], warnings: [] }],
      file,
    )
  }
})

void t.test('examples: the page lists each app', async (t) => {
  const page = readFileSync('docs/examples.md', 'utf8')
  t.ok(examples.length > 0)
  for (const file of examples) t.match(page, `(../manifests/examples/apps/${basename(file)})`, file)
})
