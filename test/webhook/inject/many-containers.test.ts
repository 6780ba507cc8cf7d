import t from 'tap'
import { containersVariable } from '../../../shared/names.ts'
import { decide } from '../../support/decide.ts'
import { goldenNames, inputsOf, readGoldenCase } from '../../support/golden-case.ts'
import { allContainers, type Container, type Pod } from '../../../webhook/pod/pod.ts'
import { isOwn } from '../../../webhook/pod/previous-injection.ts'
import type { Decision } from '../../../webhook/review/decision.ts'

const injectedPod = (decision: Decision): Pod => {
  if (decision.kind !== 'inject') throw new Error(JSON.stringify(decision))
  return decision.pod
}
const countsOf = (pod: Pod): (string | undefined)[] =>
  allContainers(pod)
    .filter(isOwn)
    .map(({ env = [] }) => env.find(({ name }) => name === containersVariable)?.value)

/** The pod with further containers, half of them init containers. */
function crowded(pod: Pod, count: number, prefix = 'more'): Pod {
  const more = Array.from({ length: count }, (_, index): Container => ({ name: `${prefix}-${index}`, image: 'app:1' }))
  const half = Math.floor(count / 2)
  const containers = [...(pod.spec.containers ?? []), ...more.slice(0, half)]
  const initContainers = [...(pod.spec.initContainers ?? []), ...more.slice(half)]
  return { ...pod, spec: { ...pod.spec, containers, initContainers } }
}

for (const name of ['secret-provider-class', 'classic', 'job-classic-kubelets', 'environment-variables']) {
  void t.test(`many containers: the injected ones know how many there are: ${name}`, async (t) => {
    t.ok(goldenNames.includes(name))
    const given = readGoldenCase(name)
    const inputs = inputsOf(given)
    const own = allContainers(injectedPod(decide(given.pod, inputs))).length
    for (const [total, expected] of [
      [4, undefined],
      [5, '16'],
      [12, '16'],
      [13, '24'],
      [30, '40'],
    ] as const) {
      if (total < own) continue
      const pod = injectedPod(decide(crowded(given.pod, total - own), inputs))
      t.equal(allContainers(pod).length, total)
      t.ok(countsOf(pod).length > 0)
      t.ok(
        countsOf(pod).every((count) => count === expected),
        `of ${total}: ${countsOf(pod).join()}`,
      )
      t.match(decide(pod, inputs), { kind: 'skip', reason: 'already-injected' }, 'a second pass changes nothing')
      t.match(decide(crowded(pod, 4, 'late'), inputs), { kind: 'skip' }, 'nor do four more containers')
    }
  })
}

void t.test('many containers: the variable follows what other webhooks add or the author writes', async (t) => {
  const given = readGoldenCase('secret-provider-class')
  const inputs = inputsOf(given)
  const first = injectedPod(decide(given.pod, inputs))
  t.notMatch(JSON.stringify(first), new RegExp(containersVariable), 'a pod of few containers has none')
  const grown = crowded(first, 30)
  const again = injectedPod(decide(grown, inputs))
  t.strictSame(
    countsOf(again),
    [String(Math.ceil((allContainers(grown).length + 4) / 8) * 8)],
    'a later pass counts again',
  )

  const forged = JSON.parse(JSON.stringify(again).replace(/("AKV_INJECTOR_CONTAINERS","value":")\d+/, '$1999')) as Pod
  t.match(countsOf(forged), ['999'])
  t.strictSame(countsOf(injectedPod(decide(forged, inputs))), countsOf(again))
  const twice = structuredClone(again)
  const sidecar = allContainers(twice).find(isOwn)!
  sidecar.env!.push({ name: containersVariable, value: '1' })
  t.match(decide(twice, inputs), { kind: 'deny', problems: [{ reason: 'clash', text: /CONTAINERS twice/ }] })
})
