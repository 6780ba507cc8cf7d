import jsonPatch from 'fast-json-patch'
import t from 'tap'
import { environmentContainer, standbyAnnotation } from '../../shared/names.ts'
import type { Pod } from '../../webhook/pod/pod.ts'
import { withDefaults, withOldTypes, withWorkloadIdentity } from '../support/kubernetes-api-server.ts'
import { configurationOf } from './default-configuration.ts'
import { annotated, appFor, cluster, reviewOf } from './review-app.ts'
import { patchIn, post } from './post-review.ts'

const newest = (): string => 'v1.37.0'
const context = { cluster: cluster({ oldestKubelet: newest, apiServer: newest }) }
const asking = (more: Record<string, string> = {}) => annotated({ env: 'DB_PASSWORD=db-password', ...more })

/** The pod after a call of an entry. */
async function after(pod: unknown, url: string): Promise<Pod> {
  const { answer } = await post(appFor(t, context), reviewOf(pod), url)
  t.equal(answer.response.allowed, true, `${url}: ${answer.response.status?.message}`)
  const operations = answer.response.patch === undefined ? [] : patchIn(answer)
  return withDefaults(jsonPatch.applyPatch(structuredClone(pod), operations).newDocument as Pod)
}
const namesIn = ({ spec }: Pod) => spec.initContainers?.map(({ name }) => name)

void t.test('server: /env adds the variables that /mutate leaves out, after other webhooks', async (t) => {
  for (const [first, last] of [
    ['/mutate', '/env'],
    ['/standby', '/env'],
    ['/mutate', '/env-standby'],
  ] as const) {
    const injected = await after(asking(), first)
    t.strictSame(namesIn(injected), ['akv-injector'])
    t.strictSame(injected.spec.containers?.[0]?.env, undefined)
    const complete = await after(withOldTypes(withWorkloadIdentity(injected)), last)
    t.strictSame(namesIn(complete), ['akv-injector', environmentContainer])
    t.match(complete.spec.containers?.[0]?.env?.[0], {
      name: 'DB_PASSWORD',
      valueFrom: { fileKeyRef: { path: '..data/..env/DB_PASSWORD', key: 'DB_PASSWORD', optional: false } },
    })
    t.equal(complete.metadata?.annotations?.[standbyAnnotation], first === '/standby' ? 'standby' : undefined)
    for (const url of ['/mutate', '/env', '/guard', '/copy-guard'].filter(
      (url) => first === '/mutate' || url !== '/mutate',
    ))
      t.strictSame(await after(complete, url), complete, `${url} changes nothing any more`)
    t.strictSame(await after(withOldTypes(complete), last), complete, 'what an old webhook drops is restored')
  }
})

void t.test('server: /env adds variables to an init container before a native sidecar that was appended', async (t) => {
  const migrate = { name: 'migrate', image: 'migrate:1' }
  const first = await after(annotated({ env: 'DB_PASSWORD=db-password' }, { initContainers: [migrate] }), '/mutate')
  const collector = { name: 'otc-container', image: 'collector:1', restartPolicy: 'Always' }
  first.spec.initContainers?.push(collector)
  const last = await after(first, '/env')
  t.strictSame(namesIn(last), ['akv-injector', environmentContainer, 'migrate', 'otc-container'])
  t.match(last.spec.initContainers?.[2]?.env, [{ name: 'DB_PASSWORD' }])
})

void t.test('server: /guard denies a pod that has its sidecar and lacks variables', async (t) => {
  const injected = await after(asking(), '/mutate')
  const guard = async (pod: Pod) => (await post(appFor(t, context), reviewOf(pod), '/guard')).answer.response
  const message =
    /the pod has its sidecar but not the environment variables of the annotation env: check that MutatingW/
  t.match(await guard(injected), { allowed: false, patch: undefined, status: { code: 503, message } })
  const complete = await after(injected, '/env')
  t.match(await guard(complete), { allowed: true })
  const { containers = [] } = complete.spec
  const stripped = {
    ...complete,
    spec: { ...complete.spec, containers: containers?.map(({ env: _env, ...rest }) => rest) ?? [] },
  }
  t.match(await guard(stripped), { allowed: false, status: { message } })
})

void t.test('server: a copy whose annotation env changed gets the variables of a new pod', async (t) => {
  const complete = await after(await after(asking(), '/mutate'), '/env')
  const edit = (annotations: Record<string, string | undefined>): Pod => {
    const all = { ...complete.metadata?.annotations, ...annotations }
    const defined = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
    return { ...complete, metadata: { ...complete.metadata, annotations: Object.fromEntries(defined) } }
  }
  const renamed = await after(edit({ 'azure.keyvault.injector/env': 'OTHER=db-password' }), '/copy')
  t.strictSame(renamed, await after(await after(asking({ env: 'OTHER=db-password' }), '/mutate'), '/env'))
  const without = await after(edit({ 'azure.keyvault.injector/env': undefined }), '/copy')
  t.strictSame(without, await after(annotated(), '/mutate'))
})

void t.test(
  "server: the administrator's oldest kubelet decides about variables, and pods may be forbidden them",
  async (t) => {
    const answerTo = async (file: object, versions: object) => {
      const configuration = configurationOf(file)
      const app = appFor(t, { cluster: cluster(versions), configuration: () => configuration })
      return (await post(app, reviewOf(asking()))).answer.response
    }
    const old = { oldestKubelet: () => 'v1.34.0', apiServer: newest }
    t.match(await answerTo({}, old), {
      allowed: false,
      status: { message: /a node runs v1\.34\.0: upgrade, .*troubleshooting.md#env\)$/ },
    })
    t.match(await answerTo({ oldestKubelet: '1.35' }, old), { allowed: true })
    t.match(await answerTo({ oldestKubelet: '1.34' }, { oldestKubelet: newest, apiServer: newest }), { allowed: false })
    t.match(await answerTo({ oldestKubelet: '1.35' }, {}), {
      allowed: false,
      status: { message: /the version of the API server is not known/ },
    })
    t.match(await answerTo({}, { oldestKubelet: newest, apiServer: () => 'v1.34.9' }), {
      allowed: false,
      status: { message: /the API server runs v1\.34\.9/ },
    })
    t.match(await answerTo({ annotations: { forbidden: ['env'] } }, { oldestKubelet: newest, apiServer: newest }), {
      allowed: false,
      status: {
        message:
          /env is forbidden by annotations\.forbidden of the injector's configuration: remove it from the pod \(docs:/,
      },
    })
  },
)

void t.test('server: an overloaded /env leaves the pod to the standby, which denies', async (t) => {
  const injected = await after(asking(), '/mutate')
  const overloaded = (url: string) => post(appFor(t, context, { mostUnderWay: 0 }), reviewOf(injected), url)
  t.equal((await overloaded('/env')).statusCode, 503)
  t.match((await overloaded('/env-standby')).answer.response, { allowed: false, status: { code: 429 } })
})
