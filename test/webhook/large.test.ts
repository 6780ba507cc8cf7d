import t from 'tap'
import { decide, type Decision } from '../../webhook/decide.ts'
import { patchOf } from '../../webhook/patch.ts'
import { annotated } from './review-app.ts'
import { surroundings } from './setting.ts'

// The API server asks before it looks itself whether a pod could be. Whoever may create pods could otherwise keep the webhook from
// answering all others: done carelessly, each of these takes minutes, and the runner's patience ends.

const many = (count: number, prefix = 'c') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)
const containers = (count: number) => many(count).map((name) => ({ name, image: 'x' }))
const of = (pod: unknown): Decision => decide(pod, surroundings())
const textsOf = (decision: Decision) => (decision.kind === 'deny' ? decision.problems.map(({ text }) => text) : [])

void t.test('more of something than is looked at', async (t) => {
  const split = (what: string, most: number) => [`the pod has ${what}, and a pod with more than ${most} is not injected: split it`] // prettier-ignore
  const large = { containers: containers(50_000), initContainers: many(50_000, 'i').map((name) => ({ name })) }
  t.strictSame(textsOf(of(annotated({}, large))), split('100000 containers', 500))
  t.equal(of(annotated({}, { containers: containers(500) })).kind, 'inject')
  const volumes = many(1_001, 'v').map((name) => ({ name, emptyDir: {} }))
  t.strictSame(textsOf(of(annotated({}, { volumes }))), split('1001 volumes', 1000))
  const mounts = many(501, 'm').map((name) => ({ name, mountPath: `/${name}` }))
  const mounting = (...counts: number[]) => ({ containers: counts.map((count, index) => ({ name: `c${index}`, volumeMounts: mounts.slice(0, count) })) }) // prettier-ignore
  t.strictSame(textsOf(of(annotated({}, mounting(501)))), split('501 volumeMounts in one container', 500))
  t.strictSame(textsOf(of(annotated({}, mounting(...Array<number>(5).fill(500))))), split('2500 volumeMounts in all', 2000)) // prettier-ignore
  const long = [{ name: 'app', volumeMounts: [{ name: 'v', mountPath: `/${'x'.repeat(256 * 1024)}` }] }]
  t.strictSame(textsOf(of(annotated({}, { containers: long }))), split('262145 characters in the paths of its volumeMounts', 262144)) // prettier-ignore
})

void t.test('as many names as there may be, none of them right', async (t) => {
  const texts = textsOf(of(annotated({ containers: many(500, 'zz').join(',') }, { containers: containers(500) })))
  t.match(texts[0], /there is no container "zz0".*; the pod has c0, c1, .*, c19 and 480 more$/)
  t.equal(texts.length, 101)
  t.equal(texts.at(-1), 'and 400 more problems')
  const more = textsOf(of(annotated({ containers: many(501, 'zz').join(',') })))
  t.match(more, [/^annotation azure.keyvault.injector\/containers ".*": 501 are more than 500 containers$/])
})

void t.test('more annotations than the API takes', async (t) => {
  const unknown = Object.fromEntries(many(5_000).map((name) => [`${name}-pol-interval`, 'x']))
  t.match(textsOf(of(annotated(unknown))), [/^the pod has 5002 annotations azure.keyvault.injector\/\*, and at most 200 are read: write templates and bundles into objects$/]) // prettier-ignore
  const texts = textsOf(of(annotated({ ...unknown, 'other/one': 'x'.repeat(256 * 1024) })))
  t.strictSame(texts, ["the pod's annotations take more than the 256 KiB that the Kubernetes API allows"])
})

void t.test('a hook that kills a hundred thousand times', async (t) => {
  const hook = (command: string) => ({ containers: [{ name: 'app', lifecycle: { preStop: { exec: { command: ['sh', '-c', command] } } } }] }) // prettier-ignore
  const warned = (command: string) => of(annotated({ signal: 'SIGHUP' }, hook(command))).warnings.some(({ reason }) => reason === 'kill-1') // prettier-ignore
  t.notOk(warned('kill '.repeat(100_000)))
  t.ok(warned(`${'kill '.repeat(100_000)} 1`))
  for (const command of ['sleep 5; kill -HUP 1', 'kill 1 && exit', 'kill\t1']) t.ok(warned(command), command)
  for (const command of ['kill -1 12', 'kill 12; sleep 1', 'sleep 1; kill 12', 'skill 1'])
    t.notOk(warned(command), command)
})

void t.test('a second pass over a large pod finds nothing to do', async (t) => {
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
