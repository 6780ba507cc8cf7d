import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { decide } from '../support/decide.ts'
import type { PlanInputs } from '../../webhook/plan/inputs.ts'
import type { Pod } from '../../webhook/pod/pod.ts'
import { inOrder, oursIn, withDefaults, withMesh, withWorkloadIdentity } from '../support/kubernetes-api-server.ts'
import { annotated } from '../webhook/review-app.ts'
import { configurationOf, planInputs } from '../webhook/default-configuration.ts'
import { type Item, type Spec, exportOf, injected, listOf, original, sidecarOf, wanted } from './exported-pod.ts'

void t.test('forged sidecar: annotations, a mount and a policy are those of a new decision', async (t) => {
  for (const name of ['status', 'version']) {
    const forged = exportOf(original)
    forged.metadata.annotations[`azure.keyvault.injector/${name}`] = 'x'
    const decision = decide(forged, planInputs())
    t.match(decision, { kind: 'inject', pod: { metadata: { annotations: original.metadata?.annotations } } }, name)
  }
  const agent = annotated({}, { containers: [{ name: 'app' }, { name: 'agent' }] })
  const known = configurationOf({ knownSidecars: ['agent'] })
  const later = decide(withDefaults(injected(agent)), planInputs({ configuration: known }))
  t.notMatch(
    JSON.stringify((later as { pod?: Pod }).pod?.spec.containers?.[1]),
    /akv-injector-secrets/,
    'the mounts that settings claim are those of the policy',
  )
})

void t.test(
  'forged sidecar: additions of the API server and of known injectors stay and cause no warning',
  async (t) => {
    const limitRanges = [
      {
        name: 'x',
        type: 'Container' as const,
        default: { 'ephemeral-storage': '1Gi' },
        defaultRequest: { 'ephemeral-storage': '512Mi' },
      },
    ]
    const kept: Record<string, [edit: (sidecar: Item, spec: Spec) => unknown, changes?: Partial<PlanInputs>]> = {
      "a LimitRange's defaults": [
        (sidecar) =>
          (sidecar['resources'] = {
            requests: { cpu: '10m', memory: '48Mi', 'ephemeral-storage': '0.5Gi' },
            limits: { cpu: '0.25', memory: '128Mi', 'ephemeral-storage': '1Gi' },
          }),
        { limitRanges },
      ],
      AlwaysPullImages: [(sidecar) => (sidecar['imagePullPolicy'] = 'Always')],
      'a resize policy by default': [
        (sidecar) =>
          (sidecar['resizePolicy'] = [
            { resourceName: 'cpu', restartPolicy: 'NotRequired' },
            { resourceName: 'memory', restartPolicy: 'NotRequired' },
          ] as never),
      ],
      'the default of procMount': [
        (sidecar) => Object.assign(sidecar['securityContext'] as Item, { procMount: 'Default' }),
      ],
      'further capabilities dropped': [
        (sidecar) => Object.assign(sidecar['securityContext'] as Item, { capabilities: { drop: ['ALL', 'MKNOD'] } }),
      ],
    }
    for (const [name, [edit, changes]] of Object.entries(kept)) {
      const pod = exportOf(original)
      edit(sidecarOf(pod.spec), pod.spec)
      t.strictSame(decide(pod, planInputs(changes)), { kind: 'skip', reason: 'already-injected', warnings: [] }, name)
    }
    const rewritten = (
      proxy: string,
      port: number,
      paths: [startup: string, live: string],
      annotations: object = {},
    ) => {
      const pod = exportOf(original)
      Object.assign(pod.metadata.annotations, annotations)
      pod.spec.initContainers.unshift({ name: proxy, restartPolicy: 'Always' })
      for (const [index, probe] of (['startupProbe', 'livenessProbe'] as const).entries())
        Object.assign((sidecarOf(pod.spec)[probe] as Item)['httpGet'] as Item, { path: paths[index], port })
      return decide(pod, planInputs()).kind
    }
    const istio: [string, string] = ['/app-health/akv-injector/startupz', '/app-health/akv-injector/livez']
    const kuma: [string, string] = ['/20471/startupz', '/20471/livez']
    t.equal(rewritten('istio-proxy', 15020, istio), 'skip', 'probes through Istio')
    t.equal(
      rewritten('istio-proxy', 15999, istio, { 'status.sidecar.istio.io/port': '15999' }),
      'skip',
      'at a port of its own',
    )
    t.equal(rewritten('istio-proxy', 15999, istio), 'inject', 'and at no other port')
    t.equal(rewritten('istio-proxy', 15020, istio, { 'status.sidecar.istio.io/port': '15999' }), 'inject')
    t.equal(rewritten('istio-proxy', 15020, istio.toReversed() as [string, string]), 'inject', 'each at its own path')
    t.equal(rewritten('kuma-sidecar', 9001, kuma), 'skip', 'probes through Kuma')
    t.equal(rewritten('kuma-sidecar', 9000, kuma), 'skip', 'and through an older one')
    t.equal(rewritten('kuma-sidecar', 15020, istio), 'inject', "but not by another mesh's")

    const meshed = withDefaults(withMesh(withWorkloadIdentity(original)))
    t.strictSame(decide(meshed, planInputs()), { kind: 'skip', reason: 'already-injected', warnings: [] })
    // What is known stays while what is not known goes.
    const watched = exportOf(meshed)
    listOf(sidecarOf(watched.spec), 'env').push({ name: 'X', value: 'x' })
    const decision = decide(watched, planInputs())
    t.match(decision, { kind: 'inject', warnings: [{ text: 'removed from akv-injector: variable X' }] })
    t.strictSame(oursIn(inOrder((decision as { pod: Pod }).pod)), oursIn(inOrder(meshed)))
  },
)

void t.test('forged sidecar: any edit at all is undone or denied', async (t) => {
  const changed: Record<string, number> = {}
  const place = fc.array(fc.nat(), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(fc.nat(), place, fc.jsonValue({ maxDepth: 2 }), (which, path, value) => {
      const forged = exportOf(original)
      const { containers, volumes } = oursIn(forged)
      const items = [...containers, ...volumes]
      edit(items[which % items.length]!, path, value)
      const decision = decide(forged, planInputs())
      changed[decision.kind] = (changed[decision.kind] ?? 0) + 1
      if (decision.kind === 'deny') return
      const result = decision.kind === 'inject' ? decision.pod : forged
      const same = isDeepStrictEqual(withoutFurtherDrops(oursIn(inOrder(withDefaults(result)))), wanted)
      if (!same) throw new Error(`${decision.kind}: ${JSON.stringify(oursIn(forged))}`)
    }),
    { numRuns: 1000 },
  )
  t.ok((changed['inject'] ?? 0) > 100, JSON.stringify(changed))
})

/** Leaves out what OpenShift may add: further names of capabilities that are dropped. */
function withoutFurtherDrops(ours: ReturnType<typeof oursIn>): typeof ours {
  const text = JSON.stringify(ours).replaceAll(/"drop":\["ALL"(,"[A-Z][A-Z_]+")*\]/g, '"drop":["ALL"]')
  return JSON.parse(text) as typeof ours
}

/** Replaces, adds or removes something inside an item, down a path of numbers. */
function edit(item: object, [first = 0, ...rest]: readonly number[], value: unknown): void {
  const parent = item as Record<string, unknown>
  const keys = Object.keys(parent).filter((key) => key !== 'name')
  const key = keys[first % Math.max(1, keys.length)]
  const inner = key === undefined ? undefined : parent[key]
  if (typeof inner === 'object' && inner !== null && rest.length > 0 && first % 5 !== 0) return edit(inner, rest, value)
  if (key === undefined || first % 3 === 0)
    parent[Array.isArray(item) ? String(keys.length) : `future${first % 7}`] = value
  else if (first % 3 === 1 && !Array.isArray(item)) delete parent[key]
  else parent[key] = value
}
