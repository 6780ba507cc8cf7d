import t, { type Test } from 'tap'
import { injectionLabel, sidecarContainer, workloadIdentityLabel } from '../../shared/names.ts'
import { annotate, deployment, pod, podTemplate } from './support/apps.ts'
import { apply, get, kubectl, list, tryApply, tryKubectl } from './support/kubectl.ts'
import { getPod, readyPods, type Pod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { askReplica } from './support/replica.ts'
import { makeTeam } from './support/fixture.ts'

const app = { name: 'app', script: 'while :; do sleep 1; done' }
const wanted = { vault: 'my-kv', objects: 'db-password' }
const mistakes = { ...wanted, 'poll-intervall': '5m', signal: 'SIGHP', 'mount-path': 'secrets' }
const told = ['did you mean "poll-interval"', 'did you mean "SIGHUP"', 'absolute path']
const warnings = (stderr: string): string[] => stderr.split('\n').filter((line) => line.startsWith('Warning: '))
const isInjected = ({ spec }: Pod): boolean =>
  [...spec.containers, ...(spec.initContainers ?? [])].some(({ name }) => name === sidecarContainer)

interface Told {
  involvedObject: { kind: string; name: string }
  reason: string
  message: string
}

/** Every kind of workload in Kubernetes, with the same pod template. */
function workloads(namespace: string, annotations: Record<string, string>) {
  const { spec, metadata } = podTemplate({ annotations, labels: { app: 'wrong' }, containers: [app] })
  const template = { metadata, spec }
  const once = { metadata, spec: { ...spec, restartPolicy: 'Never' } }
  const selector = { matchLabels: { app: 'wrong' } }
  const of = (apiVersion: string, kind: string, spec: object) => ({
    apiVersion,
    kind,
    metadata: { name: 'wrong', namespace },
    spec,
  })
  return [
    of('apps/v1', 'Deployment', { selector, template }),
    of('apps/v1', 'StatefulSet', { selector, serviceName: 'wrong', template }),
    of('apps/v1', 'DaemonSet', { selector, template }),
    of('apps/v1', 'ReplicaSet', { selector, template }),
    of('batch/v1', 'Job', { template: once }),
    of('batch/v1', 'CronJob', { schedule: '0 0 1 1 *', jobTemplate: { spec: { template: once } } }),
  ]
}

const foreign = [
  { group: 'argoproj.io', version: 'v1alpha1', kind: 'Rollout', plural: 'rollouts' },
  { group: 'serving.knative.dev', version: 'v1', kind: 'Service', plural: 'services' },
]

/**
 * A workload of Argo Rollouts and one of Knative, whose definitions are created for the test; existing ones are not
 * changed.
 */
async function foreignWorkloads(t: Test, namespace: string) {
  const template = podTemplate({ containers: [app] })
  const made = []
  for (const { group, version, kind, plural } of foreign) {
    const name = `${plural}.${group}`
    if ((await tryKubectl(['get', 'crd', name])).code === 0) continue
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
    const versions = [{ name: version, served: true, storage: true, schema }]
    const spec = { group, scope: 'Namespaced', names: { kind, plural, singular: kind.toLowerCase() }, versions }
    t.teardown(() => kubectl(['delete', 'crd', name, '--ignore-not-found']))
    await apply({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name }, spec })
    await kubectl(['wait', 'crd', name, '--for=condition=Established', '--timeout=30s'])
    made.push({ apiVersion: `${group}/${version}`, kind, metadata: { name: 'wrong', namespace }, spec: { template } })
  }
  return made
}

void t.test('diagnostics: kubectl apply of a workload prints every problem of its pods', async (t) => {
  const namespace = await makeTeam(t)
  for (const workload of workloads(namespace, mistakes)) {
    const { code, stderr } = await tryApply([workload], '--dry-run=server')
    t.equal(code, 0, `a ${workload.kind} is taken`)
    t.equal(warnings(stderr).length, told.length, `${workload.kind}: a warning for each problem`)
    for (const part of told) t.match(stderr, part, `${workload.kind}: ${part}`)
    t.match(stderr, `pods of ${workload.kind} wrong would be rejected`)
  }
  const applied = await tryApply([deployment(namespace, 'wrong', 0, { annotations: mistakes, containers: [app] })])
  t.equal(warnings(applied.stderr).length, told.length, 'and so without a dry run')
  const mended = await tryApply([deployment(namespace, 'wrong', 0, { annotations: wanted, containers: [app] })])
  t.equal(mended.stderr, '', 'none is left when all are mended')
})

void t.test('diagnostics: the API server itself warns about a forgotten label', async (t) => {
  const opted = await makeTeam(t)
  const other = await makeTeam(t, { [injectionLabel]: '' })
  const unlabelled = { annotations: wanted, labels: { [workloadIdentityLabel]: 'false' }, containers: [app] }
  const cases: [what: string, object: object, warnings: RegExp[]][] = [
    ['a pod without its label', pod(opted, 'a', unlabelled), [/this pod alone: label azure.workload.identity\/use/]],
    ['a Deployment', deployment(opted, 'b', 0, unlabelled), [/pods of this Deployment alone: .* in the pod template/]],
    [
      'a pod in another namespace',
      pod(other, 'c', { annotations: wanted, containers: [app] }),
      [/this pod alone: namespace .* lacks label azure.keyvault.injector\/injection: enabled/],
    ],
    ['neither label', deployment(other, 'd', 0, unlabelled), [/label azure.workload.identity\/use/, /lacks label/]],
    ['one that did not ask', pod(other, 'e', { containers: [app] }), []],
    ['one that opted out', pod(other, 'f', { annotations: { ...wanted, inject: 'false' }, containers: [app] }), []],
  ]
  for (const [what, object, expected] of cases) {
    // A new policy takes a moment to be in force.
    const { code, stderr } = await eventually(
      what,
      async () => {
        const answer = await tryApply([object], '--dry-run=server')
        return warnings(answer.stderr).length === expected.length && answer
      },
      { seconds: 120 },
    )
    t.equal(code, 0, `${what}: nothing is held back`)
    for (const one of expected) t.match(stderr, one, what)
  }
})

void t.test(
  'diagnostics: annotations on the workload instead of its template cause a warning that names the right place',
  async (t) => {
    const namespace = await makeTeam(t)
    for (const workload of [...workloads(namespace, {}), ...(await foreignWorkloads(t, namespace))]) {
      const { kind, metadata } = workload
      const object = { ...workload, metadata: { ...metadata, annotations: annotate(wanted) } }
      const { code, stderr } = await eventually(
        kind,
        async () => {
          const answer = await tryApply([object], '--dry-run=server')
          return warnings(answer.stderr).length > 0 && answer
        },
        { seconds: 120 },
      )
      t.equal(code, 0, `${kind}: nothing is held back`)
      t.equal(warnings(stderr).length, 1, `${kind}: one warning`)
      const place = kind === 'CronJob' ? 'spec.jobTemplate.spec.template.metadata' : 'spec.template.metadata'
      t.match(stderr, `not those of a ${kind} itself: move them to ${place}`)
    }
    for (const workload of workloads(namespace, wanted)) {
      const object = { ...workload, metadata: { ...workload.metadata, annotations: annotate(wanted) } }
      const { stderr } = await tryApply([object], '--dry-run=server')
      t.equal(stderr, '', `${workload.kind}: no warning if the template has them too`)
    }
  },
)

void t.test(
  'diagnostics: in a namespace labelled report every problem is reported and no pod is changed',
  async (t) => {
    const namespace = await makeTeam(t, { [injectionLabel]: 'report' })
    // An API server takes a moment to see the label of a new namespace.
    const good = await eventually('the pod is reported', async () => {
      const answer = await tryApply(
        [pod(namespace, 'good', { annotations: wanted, containers: [app] })],
        '--dry-run=server',
      )
      return (answer.code !== 0 || warnings(answer.stderr).length > 0) && answer
    })
    t.equal(good.code, 0, good.stderr)
    await apply(pod(namespace, 'good', { annotations: wanted, containers: [app] }))
    t.match(warnings(good.stderr), [/akv-injector would inject a sidecar \(mode native\) with 1 object/])
    const wrong = await tryApply([pod(namespace, 'wrong', { annotations: mistakes, containers: [app] })])
    t.equal(wrong.code, 0, 'one that would be refused is taken')
    for (const part of told) t.match(wrong.stderr, part)
    for (const name of ['good', 'wrong']) {
      const created = await getPod(namespace, name)
      t.notOk(isInjected(created), `${name} has no sidecar`)
      t.notMatch(created.metadata.annotations, { 'azure.keyvault.injector/status': /./ })
    }
    await apply(deployment(namespace, 'owned', 1, { annotations: wanted, containers: [app] }))
    const event = await eventually('the ReplicaSet has an Event', async () =>
      (await list<Told>(namespace, 'events')).find(({ message }) => message.startsWith('report only')),
    )
    t.match(event, { involvedObject: { kind: 'ReplicaSet' }, reason: 'Injected' })
  },
)

void t.test("diagnostics: a pod that is older than its namespace's label is reported once", async (t) => {
  const namespace = await makeTeam(t, { [injectionLabel]: '' })
  await apply(pod(namespace, 'early', { annotations: wanted, containers: [app] }))
  await kubectl(['label', 'namespace', namespace, `${injectionLabel}=enabled`, '--overwrite'])
  await apply(pod(namespace, 'after', { annotations: { ...wanted, inject: 'false' }, containers: [app] }))
  const found = async (): Promise<Told[]> =>
    (await list<Told>(namespace, 'events')).filter(({ reason }) => reason === 'InjectionMissed')
  const [event] = await eventually('an Event names it', async () => (await found()).length > 0 && found(), {
    seconds: 120,
  })
  t.match(event, { involvedObject: { kind: 'Pod', name: 'early' }, message: /has no sidecar/ })
  for (const { metadata } of await readyPods('akv-injector-system', 'app.kubernetes.io/name=akv-injector', 2)) {
    const metrics = await eventually('each replica counts it', async () => {
      const text = await askReplica('akv-injector-system', metadata.name, '/metrics')
      return /^akv_injector_missed_pods\{reason="missed"\} [1-9]/m.test(text) && text
    })
    t.match(metrics, /^akv_injector_audit_last_success_timestamp_seconds \d{10}/m)
  }
  t.equal((await found()).length, 1, 'one Event, however many replicas have looked')
  t.notOk(isInjected(await get<Pod>(namespace, 'pod', 'early')))
})
