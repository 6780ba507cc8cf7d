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

void t.test('a hundred thousand containers', async (t) => {
  const large = { containers: containers(50_000), initContainers: many(50_000, 'i').map((name) => ({ name })) }
  t.match(textsOf(of(annotated({}, large))), [/^objects, templates and certificates take \d+ KiB/])
  t.equal(of(annotated({ containers: 'c1' }, large)).kind, 'inject')
})

void t.test('as many names as there may be, none of them right', async (t) => {
  const texts = textsOf(of(annotated({ containers: many(20_000, 'zz').join(',') }, { containers: containers(50_000) })))
  t.match(texts[0], /there is no container "zz0".*; the pod has c0, c1, .*, c19 and 49980 more$/)
  t.equal(texts.length, 101)
  t.equal(texts.at(-1), 'and 19900 more problems')
})

void t.test('more annotations than the API takes', async (t) => {
  const unknown = Object.fromEntries(many(5_000).map((name) => [`${name}-pol-interval`, 'x']))
  t.equal(textsOf(of(annotated(unknown))).at(-1), 'and 4900 more problems')
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
  const volumes = many(20_000, 'v').map((name) => ({ name, emptyDir: {} }))
  const mounted = [{ name: 'app', volumeMounts: volumes.map(({ name }) => ({ name, mountPath: `/${name}` })) }]
  for (const pod of [
    annotated({ containers: 'c1' }, { containers: containers(20_000), volumes }),
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
