import t from 'tap'
import { inputsOf, readGoldenCase, type GoldenCase } from '../../support/golden-case.ts'
import { createPlan } from '../../../webhook/plan/plan.ts'
import { Diagnostics } from '../../../webhook/reasons.ts'

const given = readGoldenCase('coordinator')
const planOf = (changes: Partial<GoldenCase>) => {
  const one = { ...given, ...changes }
  const diagnostics = new Diagnostics()
  const plan = createPlan(one.pod, inputsOf(one), undefined, diagnostics)
  t.strictSame(diagnostics.problems, [])
  return plan
}
const pod = (metadata: object, spec: object = {}): GoldenCase['pod'] => ({
  ...given.pod,
  metadata: { ...given.pod.metadata, ...metadata },
  spec: { ...given.pod.spec, ...spec },
})
const audienceOf = (changes: Partial<GoldenCase>): string | undefined =>
  planOf(changes)?.tokens.find(({ path }) => path === 'coordinator')?.audience

void t.test('coordinator: the audience names the group of the pod', async (t) => {
  const owner = (kind: string, name: string) => ({ ownerReferences: [{ kind, name, controller: true }] })
  const prefix = 'akv-injector-coordinator'
  t.equal(audienceOf({}), `${prefix}/replicaset/web`, 'every revision of a Deployment')
  t.equal(audienceOf({ pod: pod(owner('ReplicaSet', 'own')) }), `${prefix}/replicaset/own`)
  t.equal(audienceOf({ pod: pod(owner('StatefulSet', 'db')) }), `${prefix}/statefulset/db`)
  t.equal(audienceOf({ pod: pod({ ownerReferences: [], name: 'debug' }) }), `${prefix}/pod/debug`)
  t.equal(audienceOf({ pod: pod({ ownerReferences: [] }) }), `${prefix}/pod`)
  t.ok((audienceOf({ pod: pod(owner('X'.repeat(1_000), 'x')) }) ?? '').length < 400)
})

void t.test('coordinator: pods that it does not watch know nothing of it', async (t) => {
  const { url } = planOf({})?.settings.coordinator ?? {}
  t.equal(url, 'https://akv-injector-coordinator.akv-injector-system.svc.cluster.local.:8443')
  const unwatched: [name: string, changes: Partial<GoldenCase>][] = [
    ['no coordinator', { configuration: {} }],
    ['another namespace', { namespace: { name: 'team' } as never }],
    [
      'another vault',
      {
        pod: pod({ annotations: { 'azure.keyvault.injector/objects': 'a', 'azure.keyvault.injector/vault': 'my-kv' } }),
      },
    ],
    [
      'once',
      { pod: pod({ annotations: { ...given.pod.metadata?.annotations, 'azure.keyvault.injector/mode': 'once' } }) },
    ],
  ]
  for (const [name, changes] of unwatched) {
    t.equal(planOf(changes)?.settings.coordinator, undefined, name)
    t.equal(audienceOf(changes), undefined, name)
  }
})

void t.test('coordinator: a pod with nothing but a find uses it, too', async (t) => {
  const annotations = {
    ...given.pod.metadata?.annotations,
    'azure.keyvault.injector/objects': '[{ find: { tags: { app: web } } }]',
    'azure.keyvault.injector/vault': 'app-kv',
  }
  t.match(planOf({ pod: pod({ annotations }) })?.settings.coordinator, { url: String })
})
