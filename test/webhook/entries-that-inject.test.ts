import jsonPatch from 'fast-json-patch'
import t from 'tap'
import { standbyAnnotation as mark, systemLabel } from '../../shared/names.ts'
import type { Pod } from '../../webhook/pod/pod.ts'
import { annotated, appFor, cluster, reviewOf } from './review-app.ts'
import { configurationOf } from './default-configuration.ts'
import { type Answer, patchIn, post } from './post-review.ts'

void t.test('server: a pod that requests injection gets a patch, in the version of the review', async (t) => {
  for (const version of ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1']) {
    const app = appFor(t)
    const pod = annotated()
    const { statusCode, answer } = await post(app, reviewOf(pod, {}, version))
    t.equal(statusCode, 200)
    t.match(answer, {
      apiVersion: version,
      kind: 'AdmissionReview',
      response: { uid: '705ab4f5-6393-11e8-b7cc-42010a800002', allowed: true, patchType: 'JSONPatch' },
    })
    t.strictSame(answer.response.auditAnnotations, {
      decision: 'inject',
      mode: 'native',
      objects: '1',
      vaults: 'https://my-kv.vault.azure.net',
    })
    const patched = jsonPatch.applyPatch(pod, patchIn(answer), true).newDocument
    t.match(patched, { spec: { initContainers: [{ name: 'akv-injector', restartPolicy: 'Always' }] } })
  }
})

void t.test('server: a pod that is skipped is allowed without a patch', async (t) => {
  const cases: Record<string, [object, string]> = {
    'an update': [reviewOf(annotated(), { operation: 'UPDATE' }), 'not-a-pod-creation'],
    'ephemeral containers': [
      reviewOf(annotated(), { operation: 'UPDATE', subResource: 'ephemeralcontainers' }),
      'not-a-pod-creation',
    ],
    'a deletion, without an object': [reviewOf(null, { operation: 'DELETE' }), 'not-a-pod-creation'],
    'another kind': [
      reviewOf({ spec: 1 }, { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }),
      'not-a-pod-creation',
    ],
    'a Pod of another group': [
      reviewOf(annotated(), { kind: { group: 'example.com', version: 'v1', kind: 'Pod' } }),
      'not-a-pod-creation',
    ],
    'no label': [reviewOf(annotated({}, {}, { labels: {} })), 'no-label'],
    'no annotations': [reviewOf(annotated({}, {}, { annotations: {} })), 'no-objects'],
    'kube-system': [reviewOf(annotated(), { namespace: 'kube-system' }), 'system-namespace'],
    'a subresource': [reviewOf(annotated(), { subResource: 'eviction' }), 'not-a-pod-creation'],
    'a mirror pod': [reviewOf(annotated({ 'kubernetes.io/config.mirror': 'x' })), 'mirror-pod'],
    'opted out': [reviewOf(annotated({ inject: 'false' })), 'opted-out'],
  }
  for (const [name, [body, reason]] of Object.entries(cases)) {
    const app = appFor(t)
    const { answer } = await post(app, body)
    t.match(answer.response, { allowed: true, patch: undefined, auditAnnotations: { decision: 'skip' } }, name)
    t.match(app.decided, [{ decision: { kind: 'skip', reason } }], name)
  }
  const ours = cluster({
    namespace: async (name) => ({ value: { name, labels: { [systemLabel]: 'true' }, annotations: {} }, cached: false }),
  })
  const { answer } = await post(appFor(t, { cluster: ours }), reviewOf(annotated()))
  t.match(answer.response, { allowed: true, patch: undefined, auditAnnotations: { reason: /^system-namespace/ } })
})

void t.test('server: annotations that request nothing cause a warning', async (t) => {
  const pod = annotated()
  delete (pod.metadata.annotations as Record<string, string>)['azure.keyvault.injector/objects']
  const { answer } = await post(appFor(t), reviewOf(pod))
  t.match(answer.response, { allowed: true, patch: undefined })
  t.strictSame(answer.response.warnings, [
    'add the annotation objects, secret-provider-class or env: the pod has other annotations of the injector, but without one of these nothing is injected',
  ])
})

void t.test('server: a denial has a status with every problem', async (t) => {
  const { answer } = await post(appFor(t), reviewOf(annotated({ objekts: 'a', splay: 'soon' })))
  t.strictSame(answer.response, {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    allowed: false,
    auditAnnotations: { decision: 'deny', reason: 'bad-annotation' },
    status: {
      code: 400,
      reason: 'BadRequest',
      message:
        'pod app-1 in namespace shop has 2 problems: ' +
        '(1) annotation azure.keyvault.injector/objekts "a": there is no such annotation (did you mean "objects"?); ' +
        '(2) annotation azure.keyvault.injector/splay "soon": expected a duration such as 30s, 2m or 1h30m ' +
        '(docs: troubleshooting.md#bad-annotation)',
      details: {
        causes: [
          {
            reason: 'bad-annotation',
            message:
              'annotation azure.keyvault.injector/objekts "a": there is no such annotation (did you mean "objects"?)',
          },
          {
            reason: 'bad-annotation',
            message: 'annotation azure.keyvault.injector/splay "soon": expected a duration such as 30s, 2m or 1h30m',
          },
        ],
      },
    },
  })
})

void t.test('server: /standby injects as /mutate does, and marks the pod', async (t) => {
  const pod = annotated()
  const [by, standby] = await Promise.all([post(appFor(t), reviewOf(pod)), post(appFor(t), reviewOf(pod), '/standby')])
  const patchedBy = ({ answer }: { answer: Answer }) =>
    jsonPatch.applyPatch(structuredClone(pod), patchIn(answer)).newDocument
  const [first, second] = [patchedBy(by), patchedBy(standby)]
  t.notMatch(first.metadata.annotations, { [mark]: 'standby' })
  t.strictSame(second, {
    ...first,
    metadata: { ...first.metadata, annotations: { ...first.metadata.annotations, [mark]: 'standby' } },
  })
  for (const [url, injected] of [
    ['/mutate', first],
    ['/mutate', second],
    ['/standby', first],
    ['/standby', second],
  ] as const)
    t.match(
      (await post(appFor(t), reviewOf(injected), url)).answer.response,
      { allowed: true, patch: undefined, auditAnnotations: { reason: /^already-injected/ } },
      `a later pass: ${url}`,
    )
  const denied = await post(appFor(t), reviewOf(annotated({ splay: 'soon' })), '/standby')
  t.match(denied.answer.response, { allowed: false, status: { code: 400 } })

  // A copy, under an administrator's file that has changed since.
  const configuration = configurationOf({ image: 'registry.example/other:2' })
  const anew = await post(appFor(t, { configuration: () => configuration }), reviewOf(second))
  const copy = jsonPatch.applyPatch(structuredClone(second), patchIn(anew.answer)).newDocument
  t.notMatch(copy.metadata.annotations, { [mark]: 'standby' }, 'a copy that the webhook itself has injected again')
  const marked = annotated({ 'injected-by': 'standby' })
  const written = await post(appFor(t), reviewOf(marked))
  t.notMatch(
    jsonPatch.applyPatch(marked, patchIn(written.answer)).newDocument.metadata.annotations,
    { [mark]: /./ },
    'or that somebody marked',
  )
})

void t.test('server: /copy accepts a sidecar only if it is exactly that of the injector', async (t) => {
  const copy = (pod: object) => post(appFor(t), reviewOf(pod), '/copy').then(({ answer }) => answer)
  const pod = annotated()
  const { answer } = await post(appFor(t), reviewOf(pod))
  const injected = jsonPatch.applyPatch(structuredClone(pod), patchIn(answer)).newDocument as unknown as Pod
  t.match((await copy(injected)).response, {
    allowed: true,
    patch: undefined,
    auditAnnotations: { reason: /^already-injected/ },
  })

  const forged = structuredClone(injected)
  Object.assign(forged.spec.initContainers![0]!, { command: ['sh'] })
  const changed = await copy(forged)
  t.match(changed.response, {
    allowed: true,
    auditAnnotations: { decision: 'inject' },
    warnings: ['removed from akv-injector: command'],
  })
  t.strictSame(jsonPatch.applyPatch(forged, patchIn(changed)).newDocument, injected)

  const privileged = structuredClone(injected)
  Object.assign(privileged.spec.initContainers![0]!.securityContext!, { privileged: true })
  t.match((await copy(privileged)).response, { allowed: false, status: { code: 400, message: /is privileged/ } })
})
