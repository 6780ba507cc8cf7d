import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { apply, get, tryApply, type KubernetesObject } from './support/kubectl.ts'
import { getPod, type Pod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeTeam } from './support/fixture.ts'

const wanted = { vault: 'my-kv', objects: 'db-password' }
const sidecar = { 'request-cpu': '50m', 'limit-cpu': '100m', 'request-memory': '64Mi', 'limit-memory': '64Mi' }

/** A pod of one container whose requests equal its limits, for both kinds. */
const fixed = (namespace: string, name: string, cpu: string, annotations: object = {}, spec: object = {}) =>
  pod(namespace, name, {
    annotations: { ...wanted, ...sidecar, ...annotations },
    containers: [{ name: 'app', script: 'sleep 3600', resources: { limits: { cpu, memory: '64Mi' } } }],
    spec,
  })
const limitRange = (namespace: string, limits: object[]) => ({
  apiVersion: 'v1',
  kind: 'LimitRange',
  metadata: { name: 'bounds', namespace },
  spec: { limits },
})

void t.test(
  'resources: a LimitRange for pods causes a denial exactly if the API server would reject the pod',
  async (t) => {
    const namespace = await makeTeam(t)
    await apply(limitRange(namespace, [{ type: 'Pod', max: { cpu: '500m' } }]))
    const create = (cpu: string, annotations: object = {}) =>
      tryApply([fixed(namespace, 'app', cpu, annotations)], '--dry-run=server')
    const refused = await eventually('the LimitRange is in force', async () => {
      const answer = await create('401m')
      return answer.code !== 0 && answer
    })
    t.match(
      refused.stderr,
      'LimitRange "bounds" allows a pod 500m of cpu at most, and with the sidecar its limits come to 501m',
    )
    const most = await create('400m')
    t.equal(most.code, 0, `exactly as much as is allowed: ${most.stderr}`)
    const lowered = await create('401m', { 'limit-cpu': '99m' })
    t.equal(lowered.code, 0, `as advised: ${lowered.stderr}`)
  },
)

void t.test('resources: the defaults of a LimitRange for containers do not apply to the sidecar', async (t) => {
  const namespace = await makeTeam(t)
  const both = { cpu: '150m', memory: '96Mi' }
  await apply(
    limitRange(namespace, [
      { type: 'Container', max: both, default: both, defaultRequest: { cpu: '20m', memory: '32Mi' } },
    ]),
  )
  const create = (annotations: object) => tryApply([fixed(namespace, 'app', '150m', annotations)], '--dry-run=server')
  const refused = await eventually('the LimitRange is in force', async () => {
    const answer = await create({ 'limit-cpu': '151m' })
    return answer.code !== 0 && answer
  })
  t.match(
    refused.stderr,
    'LimitRange "bounds" allows a container 150m of cpu at most, and the sidecar\'s limit is 151m',
  )
  t.match(await create({ 'limit-cpu': '150m' }), { code: 0 })
})

void t.test('resources: a ResourceQuota counts the sidecar and admits it', async (t) => {
  const namespace = await makeTeam(t)
  const hard = { 'requests.cpu': '1', 'limits.cpu': '1', 'requests.memory': '1Gi', 'limits.memory': '1Gi' }
  await apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'team', namespace }, spec: { hard } })
  await eventually(
    'the quota is counted',
    async () =>
      (await get<KubernetesObject & { status?: { used?: object } }>(namespace, 'resourcequota', 'team')).status?.used,
  )
  const admitted = await tryApply([fixed(namespace, 'app', '700m', { 'request-cpu': '50m' })])
  t.equal(admitted.code, 0, admitted.stderr)
  const { status } = await get<KubernetesObject & { status: { used: Record<string, string> } }>(
    namespace,
    'resourcequota',
    'team',
  )
  t.match(status.used, { 'limits.cpu': '800m', 'limits.memory': '128Mi' })
  const beyond = await tryApply([fixed(namespace, 'more', '200m')])
  t.match(beyond.stderr, /exceeded quota: team/, 'the API server names its quota itself')
})

void t.test('resources: a Guaranteed pod stays Guaranteed, and pod-level resources include the sidecar', async (t) => {
  const namespace = await makeTeam(t)
  await apply(fixed(namespace, 'guaranteed', '100m'))
  t.match((await getPod(namespace, 'guaranteed')).status, { qosClass: 'Guaranteed' })

  const injected = async (resources: object) => {
    const asked = fixed(namespace, 'whole', '100m', { 'limit-cpu': '200m' }, { resources })
    const { code, stdout, stderr } = await tryApply([asked], '--dry-run=server', '-o', 'json')
    t.equal(code, 0, stderr)
    return (JSON.parse(stdout) as Pod).spec
  }
  const full = { cpu: '120m', memory: '100Mi' }
  const { initContainers } = await injected({ requests: full, limits: full })
  t.match(
    initContainers?.find(({ name }) => name === sidecarContainer),
    { resources: { requests: { cpu: '20m', memory: '36Mi' }, limits: { cpu: '120m', memory: '64Mi' } } },
  )
  t.match(
    await injected({ limits: { cpu: '1', memory: '1Gi' } }),
    { resources: { requests: { cpu: '150m', memory: '128Mi' } } },
    'requests that the API server fills in, before the injection or after it',
  )
})
