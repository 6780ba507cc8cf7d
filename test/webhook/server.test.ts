import jsonPatch, { type Operation } from 'fast-json-patch'
import t from 'tap'
import { standbyAnnotation as mark, systemLabel } from '../../shared/names.ts'
import type { AdmissionResponse } from '../../webhook/envelope.ts'
import { timeLeft } from '../../webhook/server.ts'
import type { Pod } from '../../webhook/pod/pod.ts'
import { annotated, appFor, cluster, reviewOf } from './review-app.ts'
import { configurationOf, surroundings } from './setting.ts'

interface Answer {
  apiVersion: string
  kind: string
  response: AdmissionResponse
}
type App = ReturnType<typeof appFor>

async function post(app: App, body: object, url = '/mutate?timeout=10s') {
  const { statusCode, headers, payload } = await app.server.inject({ method: 'POST', url, payload: body })
  return { statusCode, headers, answer: JSON.parse(payload) as Answer }
}

const patchIn = ({ response }: Answer): Operation[] =>
  JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString()) as Operation[]

void t.test('a pod that asks gets a patch, in the version of the review', async (t) => {
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

void t.test('what is left alone is allowed without a patch', async (t) => {
  const cases: Record<string, [object, string]> = {
    'an update': [reviewOf(annotated(), { operation: 'UPDATE' }), 'not-a-pod-creation'],
    'ephemeral containers': [reviewOf(annotated(), { operation: 'UPDATE', subResource: 'ephemeralcontainers' }), 'not-a-pod-creation'], // prettier-ignore
    'a deletion, without an object': [reviewOf(null, { operation: 'DELETE' }), 'not-a-pod-creation'],
    'another kind': [reviewOf({ spec: 1 }, { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }), 'not-a-pod-creation'], // prettier-ignore
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
  const ours = cluster({ namespace: async (name) => ({ value: { name, labels: { [systemLabel]: 'true' }, annotations: {} }, cached: false }) }) // prettier-ignore
  const { answer } = await post(appFor(t, { cluster: ours }), reviewOf(annotated()))
  t.match(answer.response, { allowed: true, patch: undefined, auditAnnotations: { reason: /^system-namespace/ } })
})

void t.test('annotations that ask for nothing are warned about', async (t) => {
  const pod = annotated()
  delete (pod.metadata.annotations as Record<string, string>)['azure.keyvault.injector/objects']
  const { answer } = await post(appFor(t), reviewOf(pod))
  t.match(answer.response, { allowed: true, patch: undefined })
  t.strictSame(answer.response.warnings, ['annotations of the injector without objects or secret-provider-class: nothing is injected']) // prettier-ignore
})

void t.test('a denial has a status with every problem', async (t) => {
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
        '(2) annotation azure.keyvault.injector/splay "soon": expected a duration such as 30s, 2m or 1h30m',
      details: {
        causes: [
          { reason: 'bad-annotation', message: 'annotation azure.keyvault.injector/objekts "a": there is no such annotation (did you mean "objects"?)' }, // prettier-ignore
          { reason: 'bad-annotation', message: 'annotation azure.keyvault.injector/splay "soon": expected a duration such as 30s, 2m or 1h30m' }, // prettier-ignore
        ],
      },
    },
  })
})

void t.test('/report tells what would be done and does nothing', async (t) => {
  const injected = await post(appFor(t), reviewOf(annotated()), '/report')
  t.match(injected.answer.response, {
    allowed: true,
    patch: undefined,
    warnings: ['akv-injector would inject a sidecar (mode native) with 1 object'],
    auditAnnotations: { decision: 'report-inject' },
  })
  const app = appFor(t)
  const denied = await post(app, reviewOf(annotated({ splay: 'soon' })), '/report')
  t.match(app.lines.join(''), /"decision":"deny",.*"report":true/, 'the log says that nobody was refused')
  t.match(denied.answer.response, {
    allowed: true,
    status: undefined,
    warnings: ['akv-injector would refuse: annotation splay "soon": expected a duration such as 30s, 2m or 1h30m'], // prettier-ignore
  })
  const configuration = configurationOf({ report: true })
  const everywhere = await post(appFor(t, { configuration: () => configuration }), reviewOf(annotated()))
  t.match(everywhere.answer.response, {
    allowed: true,
    patch: undefined,
    auditAnnotations: { decision: 'report-inject' },
  })
})

void t.test('/standby injects as /mutate does, and says so on the pod', async (t) => {
  const pod = annotated()
  const [by, standby] = await Promise.all([post(appFor(t), reviewOf(pod)), post(appFor(t), reviewOf(pod), '/standby')])
  const patchedBy = ({ answer }: { answer: Answer }) =>
    jsonPatch.applyPatch(structuredClone(pod), patchIn(answer)).newDocument
  const [first, second] = [patchedBy(by), patchedBy(standby)]
  t.notMatch(first.metadata.annotations, { [mark]: 'standby' })
  t.strictSame(second, { ...first, metadata: { ...first.metadata, annotations: { ...first.metadata.annotations, [mark]: 'standby' } } }) // prettier-ignore
  for (const [url, injected] of [['/mutate', first], ['/mutate', second], ['/standby', first], ['/standby', second]] as const) // prettier-ignore
    t.match((await post(appFor(t), reviewOf(injected), url)).answer.response, { allowed: true, patch: undefined, auditAnnotations: { reason: /^already-injected/ } }, `a later pass: ${url}`) // prettier-ignore
  const denied = await post(appFor(t), reviewOf(annotated({ splay: 'soon' })), '/standby')
  t.match(denied.answer.response, { allowed: false, status: { code: 400 } })

  // A copy, under an administrator's file that has changed since.
  const configuration = configurationOf({ image: 'registry.example/other:2' })
  const anew = await post(appFor(t, { configuration: () => configuration }), reviewOf(second))
  const copy = jsonPatch.applyPatch(structuredClone(second), patchIn(anew.answer)).newDocument
  t.notMatch(copy.metadata.annotations, { [mark]: 'standby' }, 'a copy that the webhook itself has injected anew')
  const marked = annotated({ 'injected-by': 'standby' })
  const written = await post(appFor(t), reviewOf(marked))
  t.notMatch(jsonPatch.applyPatch(marked, patchIn(written.answer)).newDocument.metadata.annotations, { [mark]: /./ }, 'or that somebody marked') // prettier-ignore
})

void t.test('/copy takes a sidecar for ours only if it is exact', async (t) => {
  const copy = (pod: object) => post(appFor(t), reviewOf(pod), '/copy').then(({ answer }) => answer)
  const pod = annotated()
  const { answer } = await post(appFor(t), reviewOf(pod))
  const injected = jsonPatch.applyPatch(structuredClone(pod), patchIn(answer)).newDocument as unknown as Pod
  t.match((await copy(injected)).response, { allowed: true, patch: undefined, auditAnnotations: { reason: /^already-injected/ } }) // prettier-ignore

  const forged = structuredClone(injected)
  Object.assign(forged.spec.initContainers![0]!, { command: ['sh'] })
  const changed = await copy(forged)
  t.match(changed.response, { allowed: true, auditAnnotations: { decision: 'inject' }, warnings: ['removed from akv-injector: command'] }) // prettier-ignore
  t.strictSame(jsonPatch.applyPatch(forged, patchIn(changed)).newDocument, injected)

  const privileged = structuredClone(injected)
  Object.assign(privileged.spec.initContainers![0]!.securityContext!, { privileged: true })
  t.match((await copy(privileged)).response, { allowed: false, status: { code: 400, message: /is privileged/ } })
})

void t.test('/guard refuses what asks and has not been injected, and nothing else', async (t) => {
  const guard = (pod: object, context = {}) => post(appFor(t, context), reviewOf(pod), '/guard').then(({ answer }) => answer.response) // prettier-ignore
  const pod = annotated()
  t.match(await guard(pod), {
    allowed: false,
    patch: undefined,
    status: { code: 503, reason: 'ServiceUnavailable', message: /^pod app-1 in namespace shop: it asks for secrets and has no sidecar: .*; try again$/ }, // prettier-ignore
    auditAnnotations: { decision: 'deny', reason: 'not-injected' },
  })
  const { answer } = await post(appFor(t), reviewOf(pod))
  const injected = jsonPatch.applyPatch(structuredClone(pod), patchIn(answer)).newDocument
  for (const one of [injected, annotated({ inject: ' false ' }), annotated({}, {}, { annotations: {} })])
    t.match(await guard(one), { allowed: true, patch: undefined })
  const configuration = configurationOf({ report: true })
  t.match(await guard(pod, { configuration: () => configuration }), { allowed: true, patch: undefined, auditAnnotations: { decision: 'report-inject' } }) // prettier-ignore
})

void t.test('warnings are at most ten of 120 characters, the most important first', async (t) => {
  const mounts = Array.from({ length: 12 }, (_, index) => ({ name: 'akv-injector-secrets', mountPath: `/etc/${'x'.repeat(120)}${index}`, subPath: 'a', readOnly: true })) // prettier-ignore
  const pod = annotated({ signal: 'SIGHUP' }, { containers: [{ name: 'app', image: 'a', volumeMounts: mounts }] })
  const { answer } = await post(appFor(t), reviewOf(pod))
  const { warnings = [] } = answer.response
  t.equal(warnings.length, 10)
  t.match(warnings[0], /^which user runs app is unknown/)
  t.equal(warnings[9], 'and 4 more')
  t.ok(warnings.every((warning) => warning.length <= 120))
})

void t.test('audit annotations stay below 1 KiB', async (t) => {
  const vaults = Array.from({ length: 60 }, (_, index) => `- { name: s${index}, vault: vault-number-${index} }`)
  const { answer } = await post(appFor(t), reviewOf(annotated({ objects: vaults.join('\n') })))
  const audit = Object.entries(answer.response.auditAnnotations ?? {})
  const size = audit.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
  t.ok(size <= 1024 && size > 900, `${size} characters`)
})

void t.test('a denial that rests on cached data is decided again on live data', async (t) => {
  const known = cluster()
  const pods = cluster({
    serviceAccount: async (namespace, name, options) => {
      const found = await known.serviceAccount(namespace, name, options)
      return options?.live ? found : { value: { annotations: {} }, cached: true }
    },
  })
  const app = appFor(t, { cluster: pods })
  const { answer } = await post(app, reviewOf(annotated()))
  t.match(answer.response, { allowed: true, patchType: 'JSONPatch' })
  t.ok(known.asked.includes('serviceaccount shop/default live'))

  const quiet = cluster()
  await post(appFor(t, { cluster: quiet }), reviewOf(annotated()))
  t.strictSame(quiet.asked, ['namespace shop', 'serviceaccount shop/default'], 'an injection asks the cache only')
})

void t.test('an API server that does not answer is a denial with that reason, in time', async (t) => {
  // A server that listens would keep the process alive; the timeout does not.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  const slow = cluster({
    serviceAccount: (_namespace, _name, options) =>
      new Promise((_resolve, reject) => {
        options?.signal?.addEventListener('abort', () => reject(new Error('GET serviceaccount: no answer in time')))
      }),
  })
  const { answer } = await post(appFor(t, { cluster: slow }), reviewOf(annotated()), '/standby?timeout=1s')
  t.match(answer.response, {
    allowed: false,
    status: { code: 503, reason: 'ServiceUnavailable', message: /no answer in time; try again$/ },
  })
})

void t.test('time kept back for the way home, and connections that the API server closes first', async (t) => {
  for (const [timeout, milliseconds] of [
    ['5s', 4_000],
    ['10s', 9_000],
    ['1s', 500],
    ['100h', 29_000],
    ['soon', 9_000],
    [undefined, 9_000],
    [['5s', '6s'], 9_000],
  ])
    // prettier-ignore
    t.equal(timeLeft({ timeout }), milliseconds, String(timeout))
  const { server } = appFor(t).server
  t.ok(server.keepAliveTimeout > 90_000, 'the API server keeps an idle connection for 90 s')
  t.ok(server.requestTimeout > 0 && server.requestTimeout <= 30_000, 'nobody waits without end for the rest of a request') // prettier-ignore
})

void t.test('a pod that is wrong itself is denied without a second look', async (t) => {
  const wrong: Record<string, object> = {
    'an annotation': annotated({ mode: 'nativ' }),
    'an annotation, and no client id': annotated({ mode: 'nativ' }, { serviceAccountName: 'bare' }),
    'a pod for Windows': annotated({}, { os: { name: 'windows' } }),
    'a pod without containers': annotated({}, { containers: [] }),
    'a pod that is none': { spec: 1 },
    'more containers than are looked at': annotated({}, { containers: Array.from({ length: 501 }, (_, index) => ({ name: `c${index}` })) }), // prettier-ignore
  }
  for (const [name, pod] of Object.entries(wrong)) {
    const known = cluster({
      serviceAccount: async (_namespace, account) =>
        account === 'bare' ? { value: { annotations: {} }, cached: true } : { value: surroundings().serviceAccount, cached: true }, // prettier-ignore
    })
    const { answer } = await post(appFor(t, { cluster: known }), reviewOf(pod))
    t.equal(answer.response.allowed, false, name)
    t.notOk(
      known.asked.some((what) => what.endsWith('live')),
      `${name}: nothing is looked up again`,
    )
  }
})

void t.test('where the live look fails, the problems known so far are told with it', async (t) => {
  const flaky = cluster({
    serviceAccount: async (_namespace, _name, options) => {
      if (options?.live) throw new Error('connection refused')
      return { value: { annotations: {} }, cached: true }
    },
  })
  const message = /connection refused; try again; \(2\) no client id/
  const asked = async (path: string) => post(appFor(t, { cluster: flaky }), reviewOf(annotated()), path)
  t.match((await asked('/standby')).answer.response.status, { code: 503, message })
  t.match(
    await asked('/mutate'),
    { statusCode: 503, answer: { message, response: undefined } },
    'the first half passes on',
  )
})

void t.test('bad requests get a status and a sentence', async (t) => {
  const json = { 'content-type': 'application/json' }
  const cases: Record<string, [{ headers?: Record<string, string>; payload: string; url?: string }, number, RegExp]> = {
    'truncated JSON': [{ headers: json, payload: '{"kind":"Admiss' }, 400, /^the body is not complete JSON$/],
    'an empty body': [{ headers: json, payload: '' }, 400, /^the body is empty$/],
    'another content type': [{ headers: { 'content-type': 'application/yaml' }, payload: 'kind: x' }, 415, /^content type "application\/yaml" is not taken/], // prettier-ignore
    'no content type': [{ payload: 'x', headers: { 'content-type': '' } }, 415, /send application\/json$/],
    'a list': [{ headers: json, payload: '[]' }, 400, /not an AdmissionReview/],
    null: [{ headers: json, payload: 'null' }, 400, /not an AdmissionReview/],
    'another kind': [{ headers: json, payload: '{"apiVersion":"v1","kind":"Pod"}' }, 400, /not an AdmissionReview of admission.k8s.io\/v1/], // prettier-ignore
    'another version': [{ headers: json, payload: '{"apiVersion":"admission.k8s.io/v2","kind":"AdmissionReview"}' }, 400, /of admission.k8s.io\/v1 or admission.k8s.io\/v1beta1$/], // prettier-ignore
    'no request': [{ headers: json, payload: '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}' }, 400, /holds no request to answer$/], // prettier-ignore
    'no uid': [{ headers: json, payload: '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}' }, 400, /AdmissionReview\/request: .*uid/], // prettier-ignore
    'nobody who asks': [{ headers: json, payload: JSON.stringify(reviewOf({}, { userInfo: undefined })) }, 400, /AdmissionReview\/request: must have required properties userInfo/], // prettier-ignore
    'a namespace that is too long': [{ headers: json, payload: JSON.stringify(reviewOf({}, { namespace: 'x'.repeat(254) })) }, 400, /AdmissionReview\/request\/namespace/], // prettier-ignore
    'too large': [{ headers: json, payload: `"${'x'.repeat(8 * 1024 * 1024)}"` }, 413, /^the body is larger than 8388608 bytes$/], // prettier-ignore
    elsewhere: [{ headers: json, payload: '{}', url: '/mutat' }, 404, /^there is nothing at POST \/mutat$/],
  }
  for (const [name, [{ url = '/mutate', ...request }, code, message]] of Object.entries(cases)) {
    const { statusCode, payload } = await appFor(t).server.inject({ method: 'POST', url, ...request })
    t.equal(statusCode, code, name)
    t.match(JSON.parse(payload), { code, message }, name)
  }
})

void t.test('a pod of three mebibytes is taken, keys such as __proto__ survive', async (t) => {
  const text = JSON.stringify(reviewOf(annotated({}, { future: 'x'.repeat(3 * 1024 * 1024) })))
  const payload = text.replace('"labels":{', '"labels":{"__proto__":"kept","constructor":"kept",')
  const { statusCode, payload: body } = await appFor(t).server.inject({
    method: 'POST',
    url: '/mutate',
    headers: { 'content-type': 'application/json; charset=utf-8' },
    payload,
  })
  t.equal(statusCode, 200)
  const answer = JSON.parse(body) as Answer
  t.match(answer.response, { allowed: true, patchType: 'JSONPatch' })
  t.notOk(patchIn(answer).some(({ path }) => path.startsWith('/metadata/labels')))
})

void t.test('a name that is longer than any object may have is cut in denial and log', async (t) => {
  for (const metadata of [{ name: 'x'.repeat(1e6) }, { name: '', generateName: 'x'.repeat(1e6) }]) {
    const app = appFor(t)
    const { answer } = await post(app, reviewOf(annotated({ splay: 'soon' }, {}, metadata)))
    t.match(answer.response.status?.message, /^pod x{252}…\*? in namespace shop: /)
    t.ok(app.lines.join('').length < 3000)
  }
})

void t.test('a pod that is no pod is refused, not a crash', async (t) => {
  const pods: Record<string, [unknown, RegExp]> = {
    null: [null, /pod: must be object/],
    'a text': ['pod', /pod: must be object/],
    'no spec': [{ metadata: annotated().metadata }, /pod: must have required properties spec/],
    'no containers': [annotated({}, { containers: null }), /the pod has no containers$/],
    'a container without a name': [annotated({}, { containers: [{}] }), /pod\/spec\/containers\/0: must have required properties name/], // prettier-ignore
    'annotations that are no texts': [annotated({}, {}, { annotations: { a: 1 } }), /pod\/metadata\/annotations/],
    'control characters': [annotated({ vault: 'my\u0000kv\n' }), /annotation azure.keyvault.injector\/vault|vault "my\\u0000kv"/], // prettier-ignore
  }
  for (const [name, [pod, message]] of Object.entries(pods)) {
    const { statusCode, answer } = await post(appFor(t), reviewOf(pod))
    t.equal(statusCode, 200, name)
    t.match(answer.response, { allowed: false, status: { code: 400, message } }, name)
  }
})

void t.test('no value of an environment variable reaches the log or the answer', async (t) => {
  const canary = 'canary-4711-value'
  const env = [{ name: 'PASSWORD', value: canary }]
  for (const extra of [{}, { mode: 'wrong' }]) {
    const app = appFor(t)
    const { answer } = await post(app, reviewOf(annotated(extra, { containers: [{ name: 'app', image: 'a', env }] })))
    t.notMatch(app.lines.join(''), canary)
    t.match(app.lines.join(''), /"msg":"review"/)
    t.notMatch(JSON.stringify(answer) + Buffer.from(answer.response.patch ?? '', 'base64').toString(), canary)
  }
  const app = appFor(t)
  const broken = `{"env": "${canary}`
  await app.server.inject({ method: 'POST', url: '/mutate', headers: { 'content-type': 'application/json' }, payload: broken }) // prettier-ignore
  t.notMatch(app.lines.join(''), canary)
})

void t.test('probes: live always, ready while reviews can be answered and until the drain', async (t) => {
  let reason: string | undefined = 'no certificate is served yet'
  const app = appFor(t, {}, { readiness: () => ({ reason, detail: 'the configuration is refused: x' }) })
  const ready = async () => {
    const { statusCode, payload } = await app.server.inject('/readyz')
    return [statusCode, JSON.parse(payload)] as const
  }
  t.match(await ready(), [503, { ready: false, reason: 'no certificate is served yet' }])
  reason = undefined
  t.match(await ready(), [200, { ready: true, detail: 'the configuration is refused: x' }])
  t.equal((await app.server.inject('/livez')).statusCode, 200)

  app.drain()
  t.match(await ready(), [503, { ready: false, reason: 'shutting down' }])
  t.equal((await app.server.inject('/livez')).statusCode, 200)
  const { answer, headers } = await post(app, reviewOf(annotated()))
  t.match(answer.response, { allowed: true, patchType: 'JSONPatch' }, 'reviews are still answered')
  t.equal(headers['connection'], 'close')
})

void t.test('metrics are what the app was given', async (t) => {
  const metrics = async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' })
  const { headers, payload } = await appFor(t, {}, { metrics }).server.inject('/metrics')
  t.equal(payload, 'up 1\n')
  t.match(headers['content-type'], /version=0.0.4/)
})

void t.test('/validate tells what would become of the pods of a workload', async (t) => {
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
        `pods of ${kind} web would be refused: annotation mode "nativ": expected one of auto, native, classic, once (did you mean "native"?)`,
        `pods of ${kind} web would be refused: annotation splay "soon": expected a duration such as 30s, 2m or 1h30m`,
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
    t.match(reported.answer.response, { allowed: true, warnings: answer.response.warnings, auditAnnotations: { decision: 'report-deny' } }, 'nothing is refused where pods are only reported on') // prettier-ignore
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

void t.test('more reviews at once than can be answered are denied right away', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const held = cluster({
    async namespace(name) {
      await promise
      return { value: { name, labels: {}, annotations: {} }, cached: false }
    },
  })
  const app = appFor(t, { cluster: held }, { mostUnderWay: 2 })
  const first = [post(app, reviewOf(annotated())), post(app, reviewOf(annotated()))]
  t.match(
    await post(app, reviewOf(annotated())),
    { statusCode: 503, answer: { response: undefined } },
    'to the standby',
  )
  const { answer } = await post(app, reviewOf(annotated()), '/standby')
  t.match(answer.response, {
    allowed: false,
    status: { code: 429, reason: 'TooManyRequests', message: 'pod app-1 in namespace shop: too many reviews are under way at once: try again' }, // prettier-ignore
  })
  const told = await post(app, reviewOf(annotated()), '/report')
  t.match(told.answer.response, { allowed: true, warnings: ['akv-injector would refuse: too many reviews are under way at once: try again'] }) // prettier-ignore
  resolve()
  for (const { answer } of await Promise.all(first)) t.match(answer.response, { allowed: true, patchType: 'JSONPatch' })
  t.match((await post(app, reviewOf(annotated()))).answer.response, { allowed: true }, 'and room again afterwards')
})
