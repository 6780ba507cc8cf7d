import t from 'tap'
import { decide } from '../../webhook/decide.ts'
import { templateOf } from '../../webhook/templates.ts'
import { annotated } from './review-app.ts'
import { surroundings } from './setting.ts'

const request = (kind: string, spec: object, group = 'apps') => ({
  uid: '1',
  kind: { group, version: 'v1', kind },
  operation: 'CREATE',
  userInfo: { username: 'system:admin' },
  object: { spec },
})
const problemsOf = (pod: unknown): string[] => {
  const decision = decide(pod, surroundings())
  return decision.kind === 'deny' ? decision.problems.map(({ text }) => text) : []
}

void t.test('templates: the mount of the ServiceAccount token is foreseen', async (t) => {
  const template = annotated({ 'mount-path': '/var/run/secrets' })
  const text = 'container "app" has the ServiceAccount token at "/var/run/secrets/kubernetes.io/serviceaccount", inside "/var/run/secrets", which is read-only: choose another mount-path' // prettier-ignore
  t.strictSame(problemsOf(template), [], 'the template itself says nothing of it')
  for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job']) {
    t.strictSame(problemsOf(templateOf(request(kind, { template }))), [`${text}`], kind)
  }
  t.strictSame(problemsOf(templateOf(request('Rollout', { template }, 'argoproj.io'))), [text])
  t.strictSame(problemsOf(templateOf(request('Service', { template }, 'serving.knative.dev'))), [text])
  t.strictSame(problemsOf(templateOf(request('CronJob', { jobTemplate: { spec: { template } } }, 'batch'))), [text])
  const without = annotated({ 'mount-path': '/var/run/secrets' }, { automountServiceAccountToken: false })
  t.strictSame(problemsOf(templateOf(request('Deployment', { template: without }))), [])
  const beside = annotated({ 'mount-path': '/run/secrets/app' })
  t.strictSame(problemsOf(templateOf(request('Deployment', { template: beside }))), [])
})

void t.test('templates: what is no workload has none', async (t) => {
  const template = annotated()
  t.equal(templateOf(request('Service', { template }, '')), undefined)
  t.equal(templateOf(request('constructor', { template })), undefined)
  t.equal(templateOf(request('Rollout', { workloadRef: {} }, 'argoproj.io')), undefined)
  for (const odd of [
    null,
    1,
    [],
    {},
    { spec: null },
    { spec: { containers: 1, volumes: 2 } },
    { spec: { containers: [null, { volumeMounts: 1 }] } },
  ]) {
    // prettier-ignore
    t.doesNotThrow(() => problemsOf(templateOf(request('Deployment', { template: odd }))))
  }
})

void t.test('templates: pods of one workload are told the same, whatever the token volume is called', async (t) => {
  const texts = ['x7k2p', 'abcde', '12345'].map((name) =>
    problemsOf(
      annotated(
        { 'mount-path': '/var/run/secrets' },
        { containers: [{ name: 'app', volumeMounts: [{ name: `kube-api-access-${name}`, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }] }] }, // prettier-ignore
      ),
    ),
  )
  t.equal(new Set(texts.map(String)).size, 1)
})
