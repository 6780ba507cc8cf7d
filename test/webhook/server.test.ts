import t from 'tap'
import { timeLeft } from '../../webhook/server.ts'
import { annotated, appFor, cluster, reviewOf } from './review-app.ts'
import { type Answer, patchIn, post } from './post-review.ts'

void t.test('warnings: at most ten with 256 characters each, the most important first', async (t) => {
  const mounts = Array.from({ length: 12 }, (_, index) => ({
    name: 'akv-injector-secrets',
    mountPath: `/etc/${'x'.repeat(250)}${index}`,
    subPath: 'a',
    readOnly: true,
  }))
  const pod = annotated({ signal: 'SIGHUP' }, { containers: [{ name: 'app', image: 'a', volumeMounts: mounts }] })
  const { answer } = await post(appFor(t), reviewOf(pod))
  const { warnings = [] } = answer.response
  t.equal(warnings.length, 10)
  t.match(warnings[0], /^set runAsUser, run-as-user or signal-permission: /)
  t.equal(warnings[9], 'and 4 more')
  t.ok(warnings.every((warning) => warning.length <= 256))
})

void t.test('server: audit annotations stay below 1 KiB', async (t) => {
  const vaults = Array.from({ length: 60 }, (_, index) => `- { name: s${index}, vault: vault-number-${index} }`)
  const { answer } = await post(appFor(t), reviewOf(annotated({ objects: vaults.join('\n') })))
  const audit = Object.entries(answer.response.auditAnnotations ?? {})
  const size = audit.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
  t.ok(size <= 1024 && size > 900, `${size} characters`)
})

void t.test(
  "server: a review ends before the API server's time-out, and the API server closes idle connections first",
  async (t) => {
    for (const [timeout, milliseconds] of [
      ['5s', 4_000],
      ['10s', 9_000],
      ['1s', 500],
      ['100h', 29_000],
      ['soon', 9_000],
      [undefined, 9_000],
      [['5s', '6s'], 9_000],
    ])
      t.equal(timeLeft({ timeout }), milliseconds, String(timeout))
    const { server } = appFor(t).server
    t.ok(server.keepAliveTimeout > 90_000, 'the API server keeps an idle connection for 90 s')
    t.ok(server.requestTimeout > 0 && server.requestTimeout <= 30_000, 'no request waits forever for its rest')
  },
)

void t.test('server: invalid requests get a status and a message', async (t) => {
  const json = { 'content-type': 'application/json' }
  const cases: Record<string, [{ headers?: Record<string, string>; payload: string; url?: string }, number, RegExp]> = {
    'truncated JSON': [{ headers: json, payload: '{"kind":"Admiss' }, 400, /^the body is not complete JSON$/],
    'an empty body': [{ headers: json, payload: '' }, 400, /^the body is empty$/],
    'another content type': [
      { headers: { 'content-type': 'application/yaml' }, payload: 'kind: x' },
      415,
      /^content type "application\/yaml" is not supported/,
    ],
    'no content type': [{ payload: 'x', headers: { 'content-type': '' } }, 415, /send application\/json$/],
    'a list': [{ headers: json, payload: '[]' }, 400, /not an AdmissionReview/],
    null: [{ headers: json, payload: 'null' }, 400, /not an AdmissionReview/],
    'another kind': [
      { headers: json, payload: '{"apiVersion":"v1","kind":"Pod"}' },
      400,
      /not an AdmissionReview of admission.k8s.io\/v1/,
    ],
    'another version': [
      { headers: json, payload: '{"apiVersion":"admission.k8s.io/v2","kind":"AdmissionReview"}' },
      400,
      /of admission.k8s.io\/v1 or admission.k8s.io\/v1beta1$/,
    ],
    'no request': [
      { headers: json, payload: '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}' },
      400,
      /holds no request to answer$/,
    ],
    'no uid': [
      { headers: json, payload: '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}' },
      400,
      /AdmissionReview\/request: .*uid/,
    ],
    'nobody who asks': [
      { headers: json, payload: JSON.stringify(reviewOf({}, { userInfo: undefined })) },
      400,
      /AdmissionReview\/request: must have required properties userInfo/,
    ],
    'a namespace that is too long': [
      { headers: json, payload: JSON.stringify(reviewOf({}, { namespace: 'x'.repeat(254) })) },
      400,
      /AdmissionReview\/request\/namespace/,
    ],
    'too large': [
      { headers: json, payload: `"${'x'.repeat(8 * 1024 * 1024)}"` },
      413,
      /^the body is larger than 8388608 bytes$/,
    ],
    elsewhere: [{ headers: json, payload: '{}', url: '/mutat' }, 404, /^there is nothing at POST \/mutat$/],
  }
  for (const [name, [{ url = '/mutate', ...request }, code, message]] of Object.entries(cases)) {
    const { statusCode, payload } = await appFor(t).server.inject({ method: 'POST', url, ...request })
    t.equal(statusCode, code, name)
    t.match(JSON.parse(payload), { code, message }, name)
  }
})

void t.test('server: a pod of 3 MiB is accepted, and keys such as __proto__ survive', async (t) => {
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

void t.test('server: a name that is too long is cut in the denial and the log', async (t) => {
  for (const metadata of [{ name: 'x'.repeat(1e6) }, { name: '', generateName: 'x'.repeat(1e6) }]) {
    const app = appFor(t)
    const { answer } = await post(app, reviewOf(annotated({ splay: 'soon' }, {}, metadata)))
    t.match(answer.response.status?.message, /^pod x{252}…\*? in namespace shop: /)
    t.ok(app.lines.join('').length < 3000)
  }
})

void t.test('server: a malformed pod is denied and does not crash the webhook', async (t) => {
  const pods: Record<string, [unknown, RegExp]> = {
    null: [null, /pod: must be object/],
    'a text': ['pod', /pod: must be object/],
    'no spec': [{ metadata: annotated().metadata }, /pod: must have required properties spec/],
    'no containers': [
      annotated({}, { containers: null }),
      /the pod has no containers \(docs: troubleshooting\.md#malformed-pod\)$/,
    ],
    'a container without a name': [
      annotated({}, { containers: [{}] }),
      /pod\/spec\/containers\/0: must have required properties name/,
    ],
    'annotations that are no texts': [annotated({}, {}, { annotations: { a: 1 } }), /pod\/metadata\/annotations/],
    'control characters': [
      annotated({ vault: 'my\u0000kv\n' }),
      /annotation azure.keyvault.injector\/vault|vault "my\\u0000kv"/,
    ],
  }
  for (const [name, [pod, message]] of Object.entries(pods)) {
    const { statusCode, answer } = await post(appFor(t), reviewOf(pod))
    t.equal(statusCode, 200, name)
    t.match(answer.response, { allowed: false, status: { code: 400, message } }, name)
  }
})

void t.test('server: no value of an environment variable reaches the log or the answer', async (t) => {
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
  await app.server.inject({
    method: 'POST',
    url: '/mutate',
    headers: { 'content-type': 'application/json' },
    payload: broken,
  })
  t.notMatch(app.lines.join(''), canary)
})

void t.test('probes: always live; ready while reviews can be answered, until the drain', async (t) => {
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

void t.test('server: /metrics answers with the text of the metrics', async (t) => {
  const metrics = async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' })
  const { headers, payload } = await appFor(t, {}, { metrics }).server.inject('/metrics')
  t.equal(payload, 'up 1\n')
  t.match(headers['content-type'], /version=0.0.4/)
})

void t.test('server: reviews beyond the limit are denied at once', async (t) => {
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
    status: {
      code: 429,
      reason: 'TooManyRequests',
      message: /^pod app-1 in namespace shop: akv-injector has more than 2 reviews under way, /,
    },
  })
  const told = await post(app, reviewOf(annotated()), '/report')
  t.match(told.answer.response, {
    allowed: true,
    warnings: [/^akv-injector would reject the pod: akv-injector has more than 2 reviews under way, /],
  })
  resolve()
  for (const { answer } of await Promise.all(first)) t.match(answer.response, { allowed: true, patchType: 'JSONPatch' })
  t.match((await post(app, reviewOf(annotated()))).answer.response, { allowed: true }, 'and room again afterwards')
})
