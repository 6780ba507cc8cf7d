import { join } from 'node:path'
import t from 'tap'
import { kubectl } from './support/kubectl.ts'
import { runPage } from './support/page.ts'

const root = join(import.meta.dirname, '../..')

void t.test('getting started on kind: every command of the page works, in order', async (t) => {
  t.teardown(() => kubectl(['delete', 'namespace', 'demo', '--ignore-not-found', '--wait=false']))
  const replace = (text: string): string =>
    text
      // What is installed already, so that nothing changes for the other scenarios.
      .replace(
        /-f https:\/\/github\.com\/OWNER\/akv-injector\/releases\/download\/\S+\/emulator\.yaml/,
        `-k ${join(root, 'dist/e2e')}`,
      )
      .replace('busybox:1.37', process.env['E2E_APP_IMAGE'] ?? 'busybox:1.37')
  const { code, stdout, steps } = await runPage(join(root, 'docs/getting-started-kind.md'), replace)
  t.equal(code, 0, stdout)
  t.ok(steps.length >= 7, `${steps.length} steps`)
  for (const { command, output, expected } of steps)
    for (const line of expected) t.ok(output.includes(line), `${command.split('\n')[0]} prints ${line}`, { output })
})
