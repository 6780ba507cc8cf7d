import jsonPatch from 'fast-json-patch'
import fc from 'fast-check'
import t from 'tap'
import { patchOf } from '../../../webhook/inject/patch.ts'
import type { Pod } from '../../../webhook/pod/pod.ts'

/** The library refuses to apply a patch to this name, which the API server's own code has no reason to do. */
const isApplicable = (value: unknown) => !JSON.stringify(value).includes('__proto__')
const json = (maxDepth?: number) => fc.jsonValue(maxDepth === undefined ? {} : { maxDepth }).filter(isApplicable)
const container = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), rest: json(3) })
const podLike = fc
  .record(
    {
      metadata: fc.dictionary(fc.constantFrom('a', 'a/b', '~1', 'm~n', ''), json(2)),
      spec: fc.record(
        {
          initContainers: fc.uniqueArray(container, { selector: ({ name }) => name, maxLength: 4 }),
          containers: fc.array(container, { maxLength: 4 }),
          other: json(),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['spec'] },
  )
  .map((pod) => pod as unknown as Pod)

const apply = (pod: Pod, patch: ReturnType<typeof patchOf>) =>
  jsonPatch.applyPatch(structuredClone(pod), structuredClone(patch), true).newDocument
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

void t.test('patch: applied to the received pod, it yields the desired pod', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(podLike, podLike, (received, desired) => {
        // Init containers that were there stay, in their order, as in every desired pod.
        const before = received.spec.initContainers ?? []
        const added = (desired.spec.initContainers ?? []).filter(({ name }) => before.every((one) => one.name !== name))
        const spec = { ...desired.spec, ...(before.length > 0 && { initContainers: [...added, ...before] }) }
        const wanted = { ...desired, spec }
        t.same(plain(apply(received, patchOf(received, wanted))), plain(wanted))
      }),
      { numRuns: 300 },
    ),
  )
})

void t.test('patch: equal parts need none, and undefined counts as absent', async (t) => {
  const pod = { spec: { containers: [{ name: 'app' }] } } as Pod
  t.same(patchOf(pod, pod), [])
  t.same(patchOf(pod, structuredClone(pod)), [])
  t.same(patchOf(pod, { ...pod, metadata: undefined } as unknown as Pod), [])
  t.same(patchOf({ ...pod, metadata: { name: 'x' } }, { ...pod, metadata: undefined } as unknown as Pod), [
    { op: 'remove', path: '/metadata' },
  ])
})
