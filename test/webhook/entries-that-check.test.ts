import jsonPatch from 'fast-json-patch'
import t from 'tap'
import type { Pod } from '../../webhook/pod/pod.ts'
import { annotated, appFor, cluster, reviewOf } from './review-app.ts'
import { configurationOf } from './default-configuration.ts'
import { patchIn, post } from './post-review.ts'

void t.test('server: /report says what would happen and changes nothing', async (t) => {
  const injected = await post(appFor(t), reviewOf(annotated()), '/report')
  t.match(injected.answer.response, {
    allowed: true,
    patch: undefined,
    warnings: ['akv-injector would inject a sidecar (mode native) with 1 object'],
    auditAnnotations: { decision: 'report-inject' },
  })
  const app = appFor(t)
  const denied = await post(app, reviewOf(annotated({ splay: 'soon' })), '/report')
  t.match(app.lines.join(''), /"decision":"deny",.*"report":true/, 'the log says that no pod was rejected')
  t.match(denied.answer.response, {
    allowed: true,
    status: undefined,
    warnings: [
      'akv-injector would reject the pod: annotation splay "soon": expected a duration such as 30s, 2m or 1h30m',
    ],
  })
  const configuration = configurationOf({ report: true })
  const everywhere = await post(appFor(t, { configuration: () => configuration }), reviewOf(annotated()))
  t.match(everywhere.answer.response, {
    allowed: true,
    patch: undefined,
    auditAnnotations: { decision: 'report-inject' },
  })
})

void t.test(
  'server: /copy-guard denies a pod whose sidecar is not exactly that of the injector, and changes nothing',
  async (t) => {
    const guard = (pod: object, context = {}) =>
      post(appFor(t, context), reviewOf(pod), '/copy-guard').then(({ answer }) => answer.response)
    const pod = annotated()
    const { answer } = await post(appFor(t), reviewOf(pod))
    const injected = jsonPatch.applyPatch(structuredClone(pod), patchIn(answer)).newDocument as unknown as Pod
    t.match(await guard(injected), {
      allowed: true,
      patch: undefined,
      auditAnnotations: { reason: /^already-injected/ },
    })

    const forged = structuredClone(injected)
    Object.assign(forged.spec.initContainers![0]!, { command: ['sh'] })
    t.match(await guard(forged), {
      allowed: false,
      patch: undefined,
      status: {
        code: 503,
        message:
          /^pod app-1 in namespace shop: the sidecar of the pod differs from what akv-injector would inject today, .* retry, or remove the sidecar/,
      },
      auditAnnotations: { decision: 'deny', reason: 'not-injected' },
    })
    const configuration = configurationOf({ report: true })
    t.match(await guard(forged, { configuration: () => configuration }), {
      allowed: true,
      patch: undefined,
      auditAnnotations: { decision: 'report-inject' },
    })
  },
)

void t.test('server: /guard denies pods that request injection and have no sidecar, and nothing else', async (t) => {
  const guard = (pod: object, context = {}) =>
    post(appFor(t, context), reviewOf(pod), '/guard').then(({ answer }) => answer.response)
  const pod = annotated()
  t.match(await guard(pod), {
    allowed: false,
    patch: undefined,
    status: {
      code: 503,
      reason: 'ServiceUnavailable',
      message:
        /^pod app-1 in namespace shop: no akv-injector webhook answered, .*: order it first \(docs: troubleshooting\.md#not-injected\)$/,
    },
    auditAnnotations: { decision: 'deny', reason: 'not-injected' },
  })
  const { answer } = await post(appFor(t), reviewOf(pod))
  const injected = jsonPatch.applyPatch(structuredClone(pod), patchIn(answer)).newDocument
  for (const one of [injected, annotated({ inject: ' false ' }), annotated({}, {}, { annotations: {} })])
    t.match(await guard(one), { allowed: true, patch: undefined })
  const configuration = configurationOf({ report: true })
  t.match(await guard(pod, { configuration: () => configuration }), {
    allowed: true,
    patch: undefined,
    auditAnnotations: { decision: 'report-inject' },
  })
})

void t.test('server: /validate says what would happen to the pods of a workload', async (t) => {
  const kinds = { Deployment: 'apps', StatefulSet: 'apps', DaemonSet: 'apps', Job: 'batch', CronJob: 'batch' }
  for (const [kind, group] of Object.entries(kinds)) {
    const template = annotated({ mode: 'nativ', splay: 'soon' })
    const spec = kind === 'CronJob' ? { jobTemplate: { spec: { template } } } : { template }
    const request = { kind: { group, version: 'v1', kind }, name: 'web', operation: 'UPDATE' }
    const body = reviewOf({ metadata: { name: 'web' }, spec }, request)
    const { answer } = await post(appFor(t), body, '/validate')
    t.match(answer.response, {
      allowed: true,
      patch: undefined,
      warnings: [
        `pods of ${kind} web would be rejected: annotation mode "nativ": expected one of auto, native, classic, once (did you mean "native"?)`,
        `pods of ${kind} web would be rejected: annotation splay "soon": expected a duration such as 30s, 2m or 1h30m`,
      ],
    })
    const configuration = configurationOf({ workloadTemplates: 'deny' })
    const strict = await post(appFor(t, { configuration: () => configuration }), body, '/validate')
    t.match(strict.answer.response, {
      allowed: false,
      status: {
        code: 400,
        message: new RegExp(`^${kind} web in namespace shop has 2 problems: \\(1\\) annotation azure`),
      },
    })
    const reported = await post(appFor(t, { configuration: () => configuration }), body, '/report/validate')
    t.match(
      reported.answer.response,
      { allowed: true, warnings: answer.response.warnings, auditAnnotations: { decision: 'report-deny' } },
      'nothing is refused where pods are only reported on',
    )
    for (const [object, allowed] of [
      [{ spec: structuredClone(spec) }, true],
      [{ spec: {} }, false],
    ] as const) {
      const scaled = { ...body, request: { ...body.request, oldObject: object } }
      const { answer } = await post(appFor(t, { configuration: () => configuration }), scaled, '/validate')
      t.equal(answer.response.allowed, allowed, 'refused only where the template changes')
      t.equal(answer.response.warnings?.length, allowed ? 2 : undefined)
    }
  }
  const request = { kind: { group: 'apps', version: 'v1', kind: 'Deployment' }, operation: 'CREATE' }
  const good = await post(appFor(t), reviewOf({ spec: { template: annotated() } }, request), '/validate')
  t.match(good.answer.response, { allowed: true, patch: undefined, warnings: undefined })
  for (const object of [null, {}, { spec: null }, { spec: { template: null } }]) {
    const { answer } = await post(appFor(t), reviewOf(object, request), '/validate')
    t.notMatch(answer.response, { patch: /./ })
  }
  const scaled = await post(appFor(t), reviewOf({}, { ...request, subResource: 'scale' }), '/validate')
  t.match(scaled.answer.response, { allowed: true, warnings: undefined })
})

void t.test('server: /validate denies no workload that the webhook could not check', async (t) => {
  const configuration = () => configurationOf({ workloadTemplates: 'deny' })
  const request = { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }
  const body = reviewOf({ metadata: { name: 'web' }, spec: { template: annotated() } }, request)
  const refused = cluster({
    serviceAccount: async () => {
      throw new Error('connection refused')
    },
  })
  // The live look-up fails after a cached one that has a problem.
  const outdated = cluster({
    serviceAccount: async (_namespace, _name, options) => {
      if (options?.live) throw new Error('connection refused')
      return { value: { annotations: {} }, cached: true }
    },
  })
  const unread = 'pods of Deployment web were not checked: akv-injector could not read what the decision depends on'
  const states = {
    overloaded: {
      app: appFor(t, { configuration }, { mostUnderWay: 0 }),
      warnings: ['pods of Deployment web were not checked: akv-injector has more than 0 reviews under way'],
    },
    unavailable: { app: appFor(t, { configuration, cluster: refused }), warnings: [unread] },
    'unavailable no-identity': {
      app: appFor(t, { configuration, cluster: outdated }),
      warnings: [unread, 'pods of Deployment web would be rejected: no client ID'],
    },
  }
  for (const [reason, { app, warnings }] of Object.entries(states)) {
    const { response } = (await post(app, body, '/validate')).answer
    t.match(response, { allowed: true, status: undefined, auditAnnotations: { decision: 'deny', reason } }, reason)
    t.equal(response.warnings?.length, warnings.length, reason)
    for (const [index, start] of warnings.entries())
      t.ok(response.warnings?.[index]?.startsWith(start), `${reason}: ${response.warnings?.[index]}`)
  }
})
