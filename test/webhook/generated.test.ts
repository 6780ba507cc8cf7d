import fc from 'fast-check'
import jsonPatch from 'fast-json-patch'
import t from 'tap'
import { decide } from '../support/decide.ts'
import { patchOf } from '../../webhook/inject/patch.ts'
import type { Pod } from '../../webhook/pod/pod.ts'
import {
  inOrder,
  oursIn,
  withAgent,
  withDefaults,
  withMesh,
  withOldTypes,
  withWorkloadIdentity,
} from '../support/kubernetes-api-server.ts'
import { withoutAdditions } from './invariants.ts'
import { planInputs } from './default-configuration.ts'

/** Fields that no version of the API knows yet, and some that it does and we do not look at. */
const unknown = fc.dictionary(fc.stringMatching(/^future[A-Z][a-z~/]{0,4}$/), fc.jsonValue({ maxDepth: 2 }), {
  maxKeys: 2,
})

const quantity = fc.constantFrom('10m', '1', '64Mi', '1Gi', 0.5)
const resources = fc.record(
  {
    requests: fc.dictionary(fc.constantFrom('cpu', 'memory'), quantity),
    limits: fc.dictionary(fc.constantFrom('cpu', 'memory'), quantity),
  },
  { requiredKeys: [] },
)
const ids = fc.record({ runAsUser: fc.nat(3), runAsGroup: fc.nat(3) }, { requiredKeys: [] })
const mount = fc.record({
  name: fc.constantFrom('a', 'b'),
  mountPath: fc.constantFrom('/mnt', '/data', '/mnt/secrets2'),
})

const container = (name: string, native: boolean) =>
  fc
    .tuple(
      fc.record(
        {
          image: fc.constant('i'),
          env: fc.array(fc.record({ name: fc.constantFrom('A', 'B'), value: fc.string() }), { maxLength: 2 }),
          ports: fc.array(fc.record({ containerPort: fc.integer({ min: 20470, max: 20473 }) }), { maxLength: 2 }),
          volumeMounts: fc.uniqueArray(mount, { selector: ({ mountPath }) => mountPath, maxLength: 2 }),
          resources,
          securityContext: ids,
          ...(native ? { restartPolicy: fc.constant('Always') } : {}),
        },
        { requiredKeys: [] },
      ),
      unknown,
    )
    .map(([known, others]) => ({ ...others, name, ...known }))

const names = (all: string[]) => fc.subarray(all)
const containers = (all: string[], native: boolean) =>
  names(all).chain((chosen) => fc.tuple(...chosen.map((name) => container(name, native))))

const annotations = fc.record(
  {
    'azure.keyvault.injector/vault': fc.constant('my-kv'),
    'azure.keyvault.injector/objects': fc.constantFrom(
      'a',
      'a, key/b=c/d',
      '[{ name: a, mode: "0400" }]',
      '{ objects: [{ name: a, property: b.0 }, { name: c, format: truststore }], bundles: { d: { format: json, only: [a] } } }',
      '[a, { find: { name: b-*, tags: { c: d }, group: e } }, { find: { type: key, name: f } }]',
    ),
    'azure.keyvault.injector/signal': fc.constantFrom('SIGHUP', 'SIGTERM'),
    'azure.keyvault.injector/mode': fc.constantFrom('auto', 'native', 'classic', 'once'),
    'azure.keyvault.injector/mount-path': fc.constantFrom('/mnt/secrets', '/etc/x', '/secrets', 'none'),
    'azure.keyvault.injector/env': fc.constantFrom('X=a', 'X=a, Y=secret/a', 'X=a, A=a'),
    'azure.keyvault.injector/env-containers': fc.constantFrom('app', 'web'),
    'azure.keyvault.injector/notify-url': fc.constant('http://localhost:1/'),
    'azure.workload.identity/use-identity-binding': fc.constant('true'),
    'example.com/own~1': fc.string(),
  },
  { requiredKeys: ['azure.keyvault.injector/vault', 'azure.keyvault.injector/objects'] },
)

const pod = fc
  .record({
    metadata: fc.tuple(annotations, unknown).map(([annotations, others]) => ({
      ...others,
      generateName: 'x-',
      labels: { 'azure.workload.identity/use': 'true' },
      annotations,
    })),
    spec: fc
      .tuple(
        fc.record(
          {
            containers: containers(['app', 'web', 'istio-proxy'], false).filter((list) => list.length > 0),
            initContainers: fc
              .tuple(containers(['linkerd-proxy'], true), containers(['setup', 'migrate'], false))
              .map(([a, b]) => [...a, ...b]),
            volumes: fc.constantFrom(
              [],
              [
                { name: 'a', emptyDir: {} },
                { name: 'b', hostPath: { path: '/' } },
              ],
            ),
            imagePullSecrets: fc.constant([{ name: 'own' }]),
            securityContext: ids,
            hostNetwork: fc.boolean(),
            shareProcessNamespace: fc.constant(true),
            restartPolicy: fc.constantFrom('Always', 'Never', 'OnFailure'),
          },
          { requiredKeys: ['containers'] },
        ),
        unknown,
      )
      .map(([known, others]) => ({ ...others, ...known })),
    status: fc.constant({}),
  })
  .map((value) => JSON.parse(JSON.stringify(value)) as Pod)

const kubelets = fc.constantFrom('v1.28.0', 'v1.36.0', 'v1.37.0')

void t.test('generated pods: the invariants hold for every injected pod', async (t) => {
  let injected = 0
  let withEnvironment = 0
  fc.assert(
    fc.property(pod, kubelets, (received, oldestKubelet) => {
      const facts = planInputs({ oldestKubelet, apiServer: 'v1.37.0' })
      const before = structuredClone(received)
      const decision = decide(received, facts)
      if (JSON.stringify(received) !== JSON.stringify(before)) throw new Error('the pod received was changed')
      if (decision.kind !== 'inject') return
      injected++
      const patch = patchOf(received, decision.pod)
      const patched = jsonPatch.applyPatch(structuredClone(received), patch, true).newDocument
      same(patched, decision.pod, 'the patch gives the desired pod')
      same(withoutAdditions(received, patched), received, 'nothing else changed')
      for (const [name, later] of Object.entries({
        patched,
        defaults: withDefaults(patched),
        mesh: withDefaults(withMesh(patched)),
        identity: withDefaults(withWorkloadIdentity(patched)),
        first: withDefaults(patched),
      })) {
        const again = decide(later, { ...facts, addsVariables: name !== 'first' })
        if (again.kind !== 'skip' || again.reason !== 'already-injected')
          throw new Error(`${name}: ${JSON.stringify(again.kind === 'deny' ? again.problems : again.kind)}`)
      }
      if (patched.spec.initContainers?.some(({ name }) => name === 'akv-injector-env')) withEnvironment++
      const first = decide(received, { ...facts, addsVariables: false })
      if (first.kind !== 'inject') throw new Error(`the first pass: ${first.kind}`)
      const last = decide(withOldTypes(first.pod), facts)
      same(last.kind === 'inject' ? last.pod : first.pod, patched, 'two passes lead to what one would')
      const restored = decide(withOldTypes(patched), facts)
      same(restored.kind === 'inject' ? restored.pod : patched, patched, 'what an old webhook drops is restored')
      const watched = decide(withDefaults(withAgent(patched)), facts)
      if (watched.kind !== 'inject') throw new Error(`what an unknown webhook added: ${watched.kind}`)
      same(
        oursIn(withDefaults(watched.pod)),
        oursIn(withDefaults(patched)),
        'what an unknown webhook adds to ours is removed',
      )
      const second = decide(withWorkloadIdentity(received), facts)
      if (second.kind !== 'inject') throw new Error(`after the workload identity webhook: ${second.kind}`)
      same(
        inOrder(withWorkloadIdentity(second.pod)),
        inOrder(withWorkloadIdentity(patched)),
        'the order of webhooks does not matter',
      )
      const size = JSON.stringify(patch).length
      if (size > 20_000) throw new Error(`a patch of ${size} bytes`)
    }),
    { numRuns: 1000 },
  )
  t.ok(injected > 100, `${injected} pods were injected`)
  t.ok(withEnvironment > 20, `${withEnvironment} with environment variables`)
})

/** Deep equality whatever the order of keys. */
function same(a: unknown, b: unknown, what: string): void {
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .map(([key, item]) => [key, sorted(item)])
              .sort(([x], [y]) => (String(x) < String(y) ? -1 : 1)),
          )
        : value
  const [left, right] = [JSON.stringify(sorted(a)), JSON.stringify(sorted(b))]
  if (left !== right) throw new Error(`${what}:\n${left}\n${right}`)
}

void t.test('generated pods: any value is decided without an exception', async (t) => {
  const any = fc.anything({
    withNullPrototype: false,
    maxDepth: 4,
    key: fc.constantFrom(
      'metadata',
      'spec',
      'containers',
      'initContainers',
      'name',
      'annotations',
      'labels',
      'volumes',
      'env',
    ),
  })
  const mutated = fc
    .tuple(pod, fc.array(fc.tuple(fc.nat(), fc.jsonValue()), { maxLength: 4 }))
    .map(([value, changes]) => {
      const text = JSON.stringify(value)
      return changes.reduce<unknown>(
        (current, [place, replacement]) => replaceSomewhere(current, place, replacement),
        JSON.parse(text),
      )
    })
  fc.assert(
    fc.property(fc.oneof(any, mutated), (value) => {
      decide(value, planInputs())
    }),
    { numRuns: 2000 },
  )
  t.pass()
})

/** One value somewhere inside replaced by another. */
function replaceSomewhere(value: unknown, place: number, replacement: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return replacement
  const keys = Object.keys(value)
  const key = keys[place % keys.length] as string
  const inner = (value as Record<string, unknown>)[key]
  const changed = place % 7 === 0 ? replacement : replaceSomewhere(inner, Math.floor(place / keys.length), replacement)
  return Array.isArray(value) ? value.with(Number(key), changed) : { ...value, [key]: changed }
}
