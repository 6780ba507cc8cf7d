import t from 'tap'
import { annotated, appFor, cluster, reviewOf } from './review-app.ts'
import { planInputs } from './default-configuration.ts'
import { post } from './post-review.ts'

void t.test('server: a denial based on cached data is decided again on live data', async (t) => {
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

void t.test('server: an API server that does not answer causes a denial with that reason, in time', async (t) => {
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
    status: {
      code: 503,
      reason: 'ServiceUnavailable',
      message:
        /the API server did not answer akv-injector in time \(GET .*\); this usually passes, and controllers retry by themselves \(docs: troubleshooting\.md#unavailable\)$/,
    },
  })
})

void t.test('server: a pod that is invalid by itself is denied without a live look-up', async (t) => {
  const wrong: Record<string, object> = {
    'an annotation': annotated({ mode: 'nativ' }),
    'an annotation, and no client id': annotated({ mode: 'nativ' }, { serviceAccountName: 'bare' }),
    'a pod for Windows': annotated({}, { os: { name: 'windows' } }),
    'a pod without containers': annotated({}, { containers: [] }),
    'a pod that is none': { spec: 1 },
    'more containers than are looked at': annotated(
      {},
      { containers: Array.from({ length: 501 }, (_, index) => ({ name: `c${index}` })) },
    ),
  }
  for (const [name, pod] of Object.entries(wrong)) {
    const known = cluster({
      serviceAccount: async (_namespace, account) =>
        account === 'bare'
          ? { value: { annotations: {} }, cached: true }
          : { value: planInputs().serviceAccount, cached: true },
    })
    const { answer } = await post(appFor(t, { cluster: known }), reviewOf(pod))
    t.equal(answer.response.allowed, false, name)
    t.notOk(
      known.asked.some((what) => what.endsWith('live')),
      `${name}: nothing is looked up again`,
    )
  }
})

void t.test('server: if the live look-up fails, the problems known so far are reported with it', async (t) => {
  const flaky = cluster({
    serviceAccount: async (_namespace, _name, options) => {
      if (options?.live) throw new Error('connection refused')
      return { value: { annotations: {} }, cached: true }
    },
  })
  const message = /connection refused; this usually passes, and controllers retry by themselves; \(2\) no client ID/
  const asked = async (path: string) => post(appFor(t, { cluster: flaky }), reviewOf(annotated()), path)
  t.match((await asked('/standby')).answer.response.status, { code: 503, message })
  t.match(
    await asked('/mutate'),
    { statusCode: 503, answer: { message, response: undefined } },
    'the first half passes on',
  )
})
