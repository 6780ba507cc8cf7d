import t from 'tap'
import { initContainer, injectionLabel, sidecarContainer, standbyAnnotation } from '../../shared/names.ts'
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
  const scale = async (component: 'webhook' | 'standby', replicas: number) => {
    const deployment = component === 'webhook' ? 'akv-injector' : 'akv-injector-standby'
    await kubectl(['scale', '-n', system, `deployment/${deployment}`, `--replicas=${replicas}`])
    return readyPods(system, of(component), replicas)
  }

  const team = await makeTeam(t, { [injectionLabel]: 'halves' })
  const mesh = await startMesh(t)
  const meshed = await makeTeam(t, { [injectionLabel]: 'halves', ...mesh.labels })
  const asks = { vault: 'my-kv', objects: 'db-password' }
  const create = async (namespace: string, annotations: Record<string, string>, more: object = {}) => {
    const asked = pod(namespace, 'app', { annotations, containers: [{ name: 'app', script: 'true' }], spec: more })
    const { code, stdout, stderr } = await tryApply([asked], '--dry-run=server', '-o', 'json')
    if (code !== 0) return { stderr }
    const { metadata, spec } = JSON.parse(stdout) as Pod
    const ours = spec.initContainers?.filter(({ name }) => [sidecarContainer, initContainer].includes(name)).length ?? 0
    return { ours, by: metadata.annotations?.[standbyAnnotation], containers: spec.containers.map(({ name }) => name) }
  }
  /** What the standby has reviewed so far, by decision and reason. */
  const reviews = async (): Promise<Record<string, number>> => {
    const [{ metadata }] = (await readyPods(system, of('standby'), 1)) as [Pod]
    const text = await askReplica(system, metadata.name, '/metrics')
    const lines = text.matchAll(/^akv_injector_reviews_total\{purpose="(?:standby|guard)",decision="(\w+)",reason="([\w-]*)",.*\} (\d+)$/gm) // prettier-ignore
    return Object.fromEntries([...lines].map(([, decision, reason, count]) => [`${decision} ${reason}`.trim(), Number(count)])) // prettier-ignore
  }
  /** An injected pod that was exported and edited, as its author would create it again. */
  const forge = async (edit: (sidecar: { env?: object[]; [field: string]: unknown }) => void) => {
    const asked = pod(team, 'app', { annotations: asks, containers: [{ name: 'app', script: 'true' }] })
    const { stdout } = await tryApply([asked], '--dry-run=server', '-o', 'json')
    const { metadata, spec, ...kind } = JSON.parse(stdout) as Pod & { apiVersion: string; kind: string }
    const { name, labels, annotations } = metadata as Pod['metadata'] & { labels: object }
    edit(spec.initContainers!.find((one) => one.name === sidecarContainer) as never)
    return { apiVersion: 'v1', kind: kind.kind, metadata: { namespace: team, name, labels, annotations }, spec }
  }
  const recreate = async (forged: object) => {
    const { code, stdout, stderr } = await tryApply([forged], '--dry-run=server', '-o', 'json')
    if (code !== 0) return stderr
    const { spec } = JSON.parse(stdout) as Pod
    return spec.initContainers?.find((one) => one.name === sidecarContainer) as { command?: string[]; env?: { name: string }[] } // prettier-ignore
  }
  const injected = { ours: 1, by: undefined, containers: ['app'] }
  const untouched = { ours: 0, by: undefined, containers: ['app'] }

  for (const mode of ['native', 'classic', 'once']) {
    const containers = mode === 'classic' ? ['app', sidecarContainer] : ['app']
    t.strictSame(await create(team, { ...asks, mode }), { ...injected, containers }, `the webhook injects: ${mode}`)
  }
  t.strictSame(await create(team, asks, { hostNetwork: true }), injected, 'the webhook injects: on the host network')
  t.strictSame(await create(team, { ...asks, inject: 'false' }), untouched)
  t.strictSame(await create(team, { ...asks, inject: ' false ' }), untouched)
  t.strictSame(await reviews(), {}, 'and the standby is asked about none of them')
  t.strictSame(await create(team, {}), untouched)
  t.strictSame(await reviews(), { 'skip no-objects': 1 }, 'but about one that may ask yet')

  const forged = await forge((sidecar) => {
    sidecar['command'] = ['sh']
    sidecar.env?.push({ name: 'NODE_OPTIONS', value: '--require /mnt/x.js' })
  })
  const twice = await forge((sidecar) => sidecar.env?.push({ name: 'AKV_INJECTOR_SETTINGS', value: 'e30' }))
  const isClean = (one: Awaited<ReturnType<typeof recreate>>, when: string): void => {
    t.match(one, { command: undefined, env: [{ name: 'AKV_INJECTOR_SETTINGS' }] }, `a forged sidecar is written again: ${when}`) // prettier-ignore
    t.notMatch(JSON.stringify(one), /NODE_OPTIONS/)
  }
  isClean(await recreate(forged), 'with both halves')
  t.match(await recreate(twice), /denied the request: .*has the variable AKV_INJECTOR_SETTINGS twice/)

  await scale('standby', 0)
  t.strictSame(await create(team, asks), injected, 'without the standby the webhook injects')
  t.match(await recreate(forged), /failed calling webhook "copy\.azure\.keyvault\.injector"/, 'but a copy has to wait')
  t.strictSame(await create(team, {}), untouched, 'and a pod that does not ask is created')
  await scale('standby', 1)

  await scale('webhook', 0)
  t.strictSame(await create(team, asks), { ...injected, by: 'standby' }, 'without the webhook its standby injects')
  t.match((await create(team, { ...asks, splay: 'soon' })).stderr, /standby\.azure.* denied the request: .*splay "soon"/, 'and refuses') // prettier-ignore
  t.strictSame(await create(team, {}), untouched)

  isClean(await recreate(forged), 'without the webhook')
  t.match(await recreate(twice), /copy\.azure.* denied the request: /)

  await mesh.register('z-mesh', '/mesh')
  await eventually('the mesh answers', async () => (await create(meshed, asks)).containers?.includes('proxy'))
  const before = await reviews()
  t.strictSame(await create(meshed, asks), { ours: 1, by: 'standby', containers: ['app', 'proxy'] })
  t.equal((await reviews())['skip already-injected'], before['skip already-injected']! + 1, 'it is asked again when another webhook has changed the pod') // prettier-ignore

  await mesh.register('zz-ask', '/ask')
  const late = await eventually('a pod that asks only through another webhook', async () => {
    const created = await create(meshed, {})
    return created.ours === 1 && created
  })
  t.equal(late.by, 'standby')

  await scale('standby', 0)
  const refused = /failed calling webhook "guard\.azure\.keyvault\.injector"/
  t.match((await create(team, asks)).stderr, refused, 'without both a pod that asks is not created without its sidecar')
  t.match((await create(meshed, {})).stderr, refused, 'nor one that asks through another webhook')
  t.strictSame(await create(team, {}), untouched, 'and one that does not ask is')
  t.match(await recreate(forged), /failed calling webhook "copy\.azure/, 'a sidecar of its own does not help')
})
