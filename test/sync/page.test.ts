import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { planClass } from '../../sync/plan.ts'
import type { SyncClass } from '../../sync/sync-class.ts'
import { configurationOf, planInputs } from '../webhook/default-configuration.ts'

const page = readFileSync('docs/kubernetes-secrets.md', 'utf8')
const blocks = Array.from(page.matchAll(/^( *)```yaml\n(.*?)^ *```/gms), ([, indent = '', text = '']) =>
  text.replace(new RegExp(`^${indent}`, 'gm'), ''),
)

void t.test('page: each class gives all of its Secrets', async (t) => {
  const classes = blocks
    .flatMap((text) => parseAllDocuments(text).map((one) => one.toJS() as Record<string, unknown>))
    .filter((one) => one?.['kind'] === 'SecretProviderClass')
  t.equal(classes.length, 2)
  for (const { metadata, spec } of classes) {
    const { name, annotations } = metadata as Pick<SyncClass, 'name' | 'annotations'>
    const plan = planClass(
      { namespace: 'shop', name, uid: 'x', annotations, spec },
      planInputs().serviceAccount!,
      configurationOf(),
    )
    t.match(
      plan,
      { ok: true, value: { problems: [], secrets: [{ name: /./ }] } },
      plan.ok ? name : plan.problems.join('\n'),
    )
  }
})

void t.test('page: the patch for another audience replaces the expression of the policy', async (t) => {
  const text = blocks.find((one) => one.startsWith('patches:')) ?? ''
  const { patches } = parse(text) as { patches: [{ target: { name: string }; patch: string }] }
  t.equal(patches[0].target.name, 'akv-injector-sync-tokens')
  t.match(parse(patches[0].patch), [
    { op: 'replace', path: '/spec/validations/0/expression', value: /audiences == \['api/ },
  ])
})
