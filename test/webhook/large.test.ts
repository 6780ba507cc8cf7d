import t from 'tap'
import { decide } from '../support/decide.ts'
import { type Decision } from '../../webhook/review/decision.ts'
import { patchOf } from '../../webhook/inject/patch.ts'
import { annotated } from './review-app.ts'
import { planInputs } from './default-configuration.ts'

// The API server asks before it looks itself whether a pod could be. Whoever may create pods could otherwise keep the webhook from
// answering all others: done carelessly, each of these takes minutes, and the runner's patience ends.

const many = (count: number, prefix = 'c') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)
const containers = (count: number) => many(count).map((name) => ({ name, image: 'x' }))
const of = (pod: unknown): Decision => decide(pod, planInputs())
const textsOf = (decision: Decision) => (decision.kind === 'deny' ? decision.problems.map(({ text }) => text) : [])

void t.test('large pods: more parts than are supported cause one problem that says so', async (t) => {
  const split = (what: string, most: number) => [
    `the pod has ${what}, and at most ${most} are supported: split the pod`,
  ]
  const large = { containers: containers(50_000), initContainers: many(50_000, 'i').map((name) => ({ name })) }
  t.strictSame(textsOf(of(annotated({}, large))), split('100000 containers', 500))
  t.equal(of(annotated({}, { containers: containers(500) })).kind, 'inject')
  const volumes = many(1_001, 'v').map((name) => ({ name, emptyDir: {} }))
  t.strictSame(textsOf(of(annotated({}, { volumes }))), split('1001 volumes', 1000))
  const mounts = many(501, 'm').map((name) => ({ name, mountPath: `/${name}` }))
  const mounting = (...counts: number[]) => ({
    containers: counts.map((count, index) => ({ name: `c${index}`, volumeMounts: mounts.slice(0, count) })),
  })
  t.strictSame(textsOf(of(annotated({}, mounting(501)))), split('501 volumeMounts in one container', 500))
  t.strictSame(
    textsOf(of(annotated({}, mounting(...Array<number>(5).fill(500))))),
    split('2500 volumeMounts in all', 2000),
  )
  const long = [{ name: 'app', volumeMounts: [{ name: 'v', mountPath: `/${'x'.repeat(256 * 1024)}` }] }]
  t.strictSame(
    textsOf(of(annotated({}, { containers: long }))),
    split('262145 characters in the paths of its volumeMounts', 262144),
  )
})

void t.test('large pods: lists and fields that are too long are not inspected', async (t) => {
  const fields = (count: number) => Object.fromEntries(many(count).map((name) => [name, 1]))
  const split = (what: string, most: number) => [
    `the pod has ${what}, and at most ${most} are supported: split the pod`,
  ]
  t.strictSame(
    textsOf(of(annotated({}, { ephemeralContainers: containers(1_001) }))),
    split('1001 ephemeral containers', 500),
  )
  t.strictSame(
    textsOf(of(annotated({}, { containers: containers(1_001), volumes: many(1_001).map((name) => ({ name })) }))),
    [...split('1001 containers', 500), ...split('1001 volumes', 1000)],
  )
  const others = (count: number) => Object.fromEntries(many(count).map((name) => [`example.com/${name}`, '']))
  t.strictSame(textsOf(of(annotated(others(1_999)))), split('2001 annotations', 2000))
  t.strictSame(textsOf(of(annotated(others(10_000)))), split('10002 annotations', 2000))
  t.equal(of(annotated(others(1_998))).kind, 'inject')
  const inPart = (count: number) => split(`${count} fields in one of its parts`, 200)
  const app = { name: 'app', image: 'x' }
  t.strictSame(textsOf(of(annotated({}, fields(201)))), inPart(202))
  t.strictSame(textsOf(of(annotated({}, {}, fields(201)))), inPart(204))
  t.strictSame(textsOf(of({ ...annotated(), ...fields(201) })), inPart(203))
  t.strictSame(textsOf(of(annotated({}, { containers: [{ ...app, ...fields(199) }] }))), inPart(201))
  t.strictSame(textsOf(of(annotated({}, { initContainers: [{ ...app, ...fields(199) }] }))), inPart(201))
  t.strictSame(textsOf(of(annotated({}, { ephemeralContainers: [{ ...app, ...fields(199) }] }))), inPart(201))
  t.strictSame(textsOf(of(annotated({}, { volumes: [{ name: 'v', ...fields(200) }] }))), inPart(201))
  t.equal(of(annotated({}, { containers: [{ ...app, ...fields(198) }] })).kind, 'inject')
})

void t.test('large pods: a copied sidecar that is too large is denied without a comparison', async (t) => {
  const first = of(annotated())
  if (first.kind !== 'inject') throw new Error(first.kind)
  const [sidecar] = first.pod.spec.initContainers ?? []
  const withSidecar = (rest: object) => ({
    ...first.pod,
    spec: { ...first.pod.spec, initContainers: [{ ...sidecar, ...rest }] },
  })
  const text = (what: string) => [`${what} has more than 10000 fields and values: remove it, the injector adds its own`]
  for (const rest of [
    { env: [...(sidecar?.env ?? []), ...many(4_000).map((name) => ({ name, value: 'x' }))] },
    { resources: { limits: Object.fromEntries(many(10_000).map((name) => [name, '1'])) } },
    { resizePolicy: many(4_000).map(() => ({ resourceName: 'cpu', restartPolicy: 'NotRequired' })) },
  ])
    t.strictSame(textsOf(of(withSidecar(rest))), text('container "akv-injector"'))
  const sources = many(10_000).map(() => ({}))
  const volumes = first.pod.spec.volumes?.map((volume) =>
    volume.name === 'akv-injector-token' ? { ...volume, projected: { sources } } : volume,
  )
  t.strictSame(textsOf(of({ ...first.pod, spec: { ...first.pod.spec, volumes } })), text('volume "akv-injector-token"'))
  const few = withSidecar({ env: [...(sidecar?.env ?? []), ...many(1_000).map((name) => ({ name, value: 'x' }))] })
  t.match(of(few), { kind: 'inject', warnings: [{ reason: 'removed-additions' }] })
})

void t.test('large pods: hundreds of unknown names cause at most 101 problems', async (t) => {
  const texts = textsOf(of(annotated({ containers: many(500, 'zz').join(',') }, { containers: containers(500) })))
  t.match(texts[0], /there is no container "zz0".*; the pod has c0, c1, .*, c19 and 480 more$/)
  t.equal(texts.length, 101)
  t.equal(texts.at(-1), 'and 400 more problems')
  const more = textsOf(of(annotated({ containers: many(501, 'zz').join(',') })))
  t.match(more, [/^annotation azure.keyvault.injector\/containers ".*": 501 are more than 500 containers$/])
})

void t.test('large pods: environment variables are limited over all containers', async (t) => {
  const env = (count: number) =>
    many(count, 'V')
      .map((name) => `${name}=db-password`)
      .join()
  const versions = { oldestKubelet: 'v1.37.0', apiServer: 'v1.37.0' }
  const of = (count: number, apps: number) =>
    decide(annotated({ env: env(count) }, { containers: containers(apps) }), planInputs(versions))
  const largest = of(100, 20)
  t.equal(largest.kind, 'inject')
  const size = largest.kind === 'inject' ? JSON.stringify(largest.pod).length : 0
  t.ok(size < 512 * 1024, `2,000 entries make a pod of ${size} bytes`)
  t.strictSame(textsOf(of(100, 21)), [
    '100 environment variables in 21 containers are more than a pod may have, 2000 in all: name fewer containers in env-containers',
  ])
  t.match(textsOf(of(101, 1)), [/: 101 are more than 100 variables$/])
  t.match(textsOf(of(4, 500)), [])
})

void t.test('large pods: more annotations than the API accepts are handled', async (t) => {
  const unknown = Object.fromEntries(many(1_500).map((name) => [`${name}-pol-interval`, 'x']))
  t.match(textsOf(of(annotated(unknown))), [
    /^the pod has 1502 annotations azure.keyvault.injector\/\*, and at most 200 are read: write templates and bundles into objects$/,
  ])
  const texts = textsOf(of(annotated({ ...unknown, 'other/one': 'x'.repeat(256 * 1024) })))
  t.strictSame(texts, ["the pod's annotations take more than the 256 KiB that the Kubernetes API allows"])
})

void t.test('large pods: a hook with 100,000 kills is handled', async (t) => {
  const hook = (command: string) => ({
    containers: [{ name: 'app', lifecycle: { preStop: { exec: { command: ['sh', '-c', command] } } } }],
  })
  const warned = (command: string) =>
    of(annotated({ signal: 'SIGHUP' }, hook(command))).warnings.some(({ reason }) => reason === 'kill-1')
  t.notOk(warned('kill '.repeat(100_000)))
  t.ok(warned(`${'kill '.repeat(100_000)} 1`))
  for (const command of ['sleep 5; kill -HUP 1', 'kill 1 && exit', 'kill\t1']) t.ok(warned(command), command)
  for (const command of ['kill -1 12', 'kill 12; sleep 1', 'sleep 1; kill 12', 'skill 1'])
    t.notOk(warned(command), command)
})

void t.test('large pods: a second review changes nothing', async (t) => {
  const volumes = many(499, 'v').map((name) => ({ name, emptyDir: {} }))
  const mounted = [{ name: 'app', volumeMounts: volumes.map(({ name }) => ({ name, mountPath: `/${name}` })) }]
  for (const pod of [
    annotated({ containers: 'c1' }, { containers: containers(400), volumes }),
    annotated({}, { containers: mounted, volumes }),
  ]) {
    const first = of(pod)
    if (first.kind !== 'inject') throw new Error(first.kind)
    const again = structuredClone(first.pod)
    again.spec.containers = [{ name: 'proxy' }, ...(again.spec.containers ?? [])]
    t.match(of(again), { kind: 'skip', reason: 'already-injected' })
    t.ok(patchOf(pod, first.pod).length > 0)
  }
})
