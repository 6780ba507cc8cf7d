import t from 'tap'
import { parseConfiguration } from '../../../webhook/configuration/configuration.ts'
import { configurationOf } from '../default-configuration.ts'
import { decide } from '../../support/decide.ts'
import { planInputs } from '../default-configuration.ts'

void t.test('find: limits have defaults of their own', async (t) => {
  t.strictSame(configurationOf({}).find, { maxPages: 200, maxMatches: 100, allowAll: false })
  t.strictSame(configurationOf({ find: { maxPages: 3 } }).find, { maxPages: 3, maxMatches: 100, allowAll: false })
})

const wrong: [name: string, text: string, problem: RegExp][] = [
  ['no pages', 'find: { maxPages: 0 }', /^find\.maxPages: /],
  ['too many pages', 'find: { maxPages: 1001 }', /^find\.maxPages: /],
  ['too many matches', 'find: { maxMatches: 501 }', /^find\.maxMatches: /],
  ['a typo', 'find: { maxMatch: 5 }', /^find: unknown field "maxMatch" \(did you mean "maxMatches"\?\)/],
]
for (const [name, text, problem] of wrong) {
  void t.test(`find: ${name}`, async (t) => {
    const parsed = parseConfiguration(text)
    t.match(parsed, { ok: false, problems: [problem] })
  })
}

const podWith = (objects: string) => ({
  metadata: {
    labels: { 'azure.workload.identity/use': 'true' },
    annotations: { 'azure.keyvault.injector/vault': 'my-kv', 'azure.keyvault.injector/objects': objects },
  },
  spec: { containers: [{ name: 'app', image: 'app:1' }] },
})

void t.test('find: everything of a vault only if the administrator allows it', async (t) => {
  const all = podWith('[{ find: {} }]')
  t.match(decide(all, planInputs()), { kind: 'deny', problems: [{ reason: 'not-allowed', text: /find\.allowAll/ }] })
  t.match(decide(podWith('[{ find: { name: "**-*" } }]'), planInputs()), { kind: 'deny' })
  t.match(decide(podWith('[{ find: { tags: { app: web } } }]'), planInputs()), { kind: 'inject' })
  const configuration = configurationOf({ find: { allowAll: true } })
  t.match(decide(all, planInputs({ configuration })), { kind: 'inject', settings: { find: { maxMatches: 100 } } })
})

void t.test('find: the file modes of matches are checked', async (t) => {
  const pod = podWith('[{ find: { name: a*, mode: "0400" } }]')
  const decision = decide({ ...pod, spec: { ...pod.spec, securityContext: { runAsUser: 1000 } } }, planInputs())
  t.match(decision, { warnings: [{ reason: 'file-mode', text: /cannot read secret a\* with mode 0400/ }] })
})
