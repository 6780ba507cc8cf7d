import t from 'tap'
import { initContainer, injectionLabel, sidecarContainer, standbyAnnotation } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { startMesh } from './support/mesh.ts'
import { tryApply } from './support/kubectl.ts'
import { installHalves } from './support/own-installation.ts'
import type { Pod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { askReplica } from './support/replica.ts'
import { makeTeam } from './support/fixture.ts'

const system = 'platform-standby'

void t.test(
  'standby: injects if the webhook is down; with both down, pods that request injection are rejected',
  async (t) => {
    const { scale } = await installHalves(t, 'halves', system)

    const team = await makeTeam(t, { [injectionLabel]: 'halves' })
    const mesh = await startMesh(t)
    const meshed = await makeTeam(t, { [injectionLabel]: 'halves', ...mesh.labels })
    const asks = { vault: 'my-kv', objects: 'db-password' }
    const create = async (namespace: string, annotations: Record<string, string>, more: object = {}) => {
      const asked = pod(namespace, 'app', { annotations, containers: [{ name: 'app', script: 'true' }], spec: more })
      const { code, stdout, stderr } = await tryApply([asked], '--dry-run=server', '-o', 'json')
      if (code !== 0) return { stderr }
      const { metadata, spec } = JSON.parse(stdout) as Pod
      const ours =
        spec.initContainers?.filter(({ name }) => [sidecarContainer, initContainer].includes(name)).length ?? 0
      return {
        ours,
        by: metadata.annotations?.[standbyAnnotation],
        containers: spec.containers.map(({ name }) => name),
      }
    }
    /** Returns what the standby has reviewed so far, by decision and reason. */
    const reviews = async (): Promise<Record<string, number>> => {
      const [{ metadata }] = (await scale('standby', 1)) as [Pod]
      const text = await askReplica(system, metadata.name, '/metrics')
      const lines = text.matchAll(
        /^akv_injector_reviews_total\{purpose="(?:standby|guard)",decision="(\w+)",reason="([\w-]*)",.*\} (\d+)$/gm,
      )
      return Object.fromEntries(
        [...lines].map(([, decision, reason, count]) => [`${decision} ${reason}`.trim(), Number(count)]),
      )
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

    await scale('standby', 0)
    t.strictSame(await create(team, asks), injected, 'without the standby the webhook injects')
    t.strictSame(await create(team, {}), untouched, 'and a pod that does not ask is created')
    await scale('standby', 1)

    await scale('webhook', 0)
    t.strictSame(await create(team, asks), { ...injected, by: 'standby' }, 'without the webhook its standby injects')
    t.match(
      (await create(team, { ...asks, splay: 'soon' })).stderr,
      /standby\.azure.* denied the request: .*splay "soon"/,
      'and refuses',
    )
    t.strictSame(await create(team, {}), untouched)

    await mesh.register('z-mesh', '/mesh')
    await eventually('the mesh answers', async () => (await create(meshed, asks)).containers?.includes('proxy'))
    const before = await reviews()
    t.strictSame(await create(meshed, asks), { ours: 1, by: 'standby', containers: ['app', 'proxy'] })
    t.equal(
      (await reviews())['skip already-injected'],
      before['skip already-injected']! + 1,
      'it is asked again when another webhook has changed the pod',
    )

    await mesh.register('zz-ask', '/ask')
    const late = await eventually('a pod that asks only through another webhook', async () => {
      const created = await create(meshed, {})
      return created.ours === 1 && created
    })
    t.equal(late.by, 'standby')

    await scale('standby', 0)
    const refused = /failed calling webhook "guard\.azure\.keyvault\.injector"/
    t.match(
      (await create(team, asks)).stderr,
      refused,
      'without both a pod that asks is not created without its sidecar',
    )
    t.match((await create(meshed, {})).stderr, refused, 'nor one that asks through another webhook')
    t.strictSame(await create(team, {}), untouched, 'and one that does not ask is')
  },
)
