import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
  'dependencies' | 'devDependencies',
  Record<string, string>
>
const imported = new Set(
  globSync('{shared,webhook,sidecar,certs,cli,coordinator}/**/*.ts', { cwd: root }).flatMap((file) =>
    [...read(file).matchAll(/(?:from|import\()\s*'((?:@[\w-]+\/)?[\w-]+)(?![\w-]*:)/g)].map(([, name = '']) => name),
  ),
)

void t.test(
  'dependencies: what the programs import is in dependencies, everything else in devDependencies',
  async (t) => {
    t.strictSame(
      Object.keys(dependencies).filter((name) => !imported.has(name)),
      [],
      'every dependency is imported',
    )
    t.strictSame(
      Object.keys(devDependencies).filter((name) => imported.has(name)),
      [],
      'no development dependency is imported',
    )
  },
)

void t.test('dependencies: each has a row with its reason in docs/development/dependencies.md', async (t) => {
  const [, runTime = '', development = ''] = read('docs/development/dependencies.md').split(/^## .*$/m)
  const rows = (text: string): string[] =>
    [...text.matchAll(/^\| (`.+?) \|/gm)].flatMap(([, names = '']) => names.replaceAll('`', '').split(', ')).sort()
  t.strictSame(rows(runTime), Object.keys(dependencies).sort())
  t.strictSame(rows(development), Object.keys(devDependencies).sort())
})
