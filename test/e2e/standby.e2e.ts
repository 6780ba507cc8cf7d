import t from 'tap'
import { injectionLabel, sidecarContainer, standbyAnnotation } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { startMesh } from './support/mesh.ts'
import { beside, install, render, writeSelfManaged } from './support/own-installation.ts'
import { kubectl, tryApply } from './support/kubectl.ts'
import { readyPods, type Pod } from './support/pods.ts'
import { eventually } from './support/process.ts'
import { askReplica } from './support/replica.ts'
import { makeTeam } from './support/stage.ts'

const system = 'platform-standby'
const of = (component: string): string => `app.kubernetes.io/name=akv-injector,app.kubernetes.io/component=${component}`

void t.test('without the webhook its standby injects; without both no pod that asks is created', async (t) => {
  const folder = writeSelfManaged('e2e-standby', system)
  await install(t, beside(await render(folder), 'halves'))
  await readyPods(system, 'app.kubernetes.io/name=akv-injector', 2, 120)
  const [standby] = await readyPods(system, of('standby'), 1)

  const team = await makeTeam(t, { [injectionLabel]: 'halves' })
  const mesh = await startMesh(t)
  const meshed = await makeTeam(t, { [injectionLabel]: 'halves', ...mesh.labels })
  const asks = { vault: 'my-kv', objects: 'db-password' }
  const create = async (namespace: string, annotations: Record<string, string>) => {
    const asked = pod(namespace, 'app', { annotations, containers: [{ name: 'app', script: 'true' }] })
    const { code, stdout, stderr } = await tryApply([asked], '--dry-run=server', '-o', 'json')
    if (code !== 0) return { stderr }
    const { metadata, spec } = JSON.parse(stdout) as Pod
    const ours = spec.initContainers?.filter(({ name }) => name === sidecarContainer).length ?? 0
    return { ours, by: metadata.annotations?.[standbyAnnotation], containers: spec.containers.map(({ name }) => name) }
  }
  /** Reviews of the standby, by what it decided. */
  const reviews = async (decided: string): Promise<number> => {
    const text = await askReplica(system, standby!.metadata.name, '/metrics')
    return Number(new RegExp(`^akv_injector_reviews_total\\{purpose="standby",${decided},report="false"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0) // prettier-ignore
  }
  const injected = 'decision="inject",reason=""'
  const already = 'decision="skip",reason="already-injected"'

  t.strictSame(await create(team, asks), { ours: 1, by: undefined, containers: ['app'] }, 'the webhook injects')
  t.strictSame([await reviews(injected), await reviews(already)], [0, 0], 'and the standby is not asked')
  t.strictSame(await create(team, { ...asks, inject: 'false' }), { ours: 0, by: undefined, containers: ['app'] })
  t.strictSame(await reviews('decision="skip",reason="opted-out"'), 0, 'nor about a pod that opted out')

  await kubectl(['scale', '-n', system, 'deployment/akv-injector', '--replicas=0'])
  await readyPods(system, of('webhook'), 0)
  t.strictSame(await create(team, asks), { ours: 1, by: 'standby', containers: ['app'] }, 'now the standby injects')
  t.match((await create(team, { ...asks, splay: 'soon' })).stderr, /standby\.azure.* denied the request: .*splay "soon"/, 'and refuses') // prettier-ignore

  await mesh.register('z-mesh', '/mesh')
  await eventually('the mesh answers', async () => (await create(meshed, asks)).containers?.includes('proxy'))
  const before = await reviews(already)
  t.strictSame(await create(meshed, asks), { ours: 1, by: 'standby', containers: ['app', 'proxy'] })
  t.equal(await reviews(already), before + 1, 'it is asked again when another webhook has changed the pod')

  await mesh.register('zz-ask', '/ask')
  const late = await eventually('a pod that asks only through another webhook', async () => {
    const created = await create(meshed, {})
    return created.ours === 1 && created
  })
  t.equal(late.by, 'standby')

  await kubectl(['scale', '-n', system, 'deployment/akv-injector-standby', '--replicas=0'])
  await readyPods(system, of('standby'), 0)
  t.match((await create(team, asks)).stderr, /failed calling webhook "standby\.azure\.keyvault\.injector"/, 'a pod that asks is not created without its sidecar') // prettier-ignore
})
