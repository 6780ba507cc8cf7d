import t from 'tap'
import { injectionLabel, secretsVolume, sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { apply, get, logs, tryApply } from './support/kubectl.ts'
import { startMesh } from './support/mesh.ts'
import type { Pod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeTeam } from './support/fixture.ts'

interface Captured {
  request: { request: { uid: string; object: Pod } }
  response: { response: { uid: string; allowed: boolean; patch?: string } }
}

void t.test('reinvocation: after a mesh added a container, the second patch is empty', async (t) => {
  // This proxy is between the API server and the injector's webhook, and is also the mesh: it records every review.
  const mesh = await startMesh(t)
  const namespace = await makeTeam(t, { [injectionLabel]: 'captured', ...mesh.labels })
  await mesh.register('a-capture', '/capture')
  await mesh.register('z-mesh', '/mesh')

  const asking = (name: string): object =>
    pod(namespace, name, {
      annotations: { vault: 'my-kv', objects: 'db-password', signal: 'SIGHUP', 'signal-container': 'app' },
      containers: [{ name: 'app', script: 'while :; do sleep 1; done' }],
    })
  // The Service's rules follow shortly after its pod is ready.
  await eventually('the mesh answers', async () => (await tryApply([asking('probe')], '--dry-run=server')).code === 0)
  await apply(asking('app'))
  const created = await get<Pod>(namespace, 'pod', 'app')
  const captured = (await logs(mesh.namespace, 'mesh', 'mesh'))
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Captured)
    .filter(({ request }) => request.request.object.metadata.name === 'app')
  t.equal(captured.length, 2, 'the API server asked us twice')
  const [first, second] = captured
  t.ok(first?.response.response.patch, 'the first answer is a patch')
  t.ok(
    second?.request.request.object.spec.containers.some(({ name }) => name === 'proxy'),
    "the second review has the mesh's container",
  )
  t.equal(second?.response.response.allowed, true)
  t.equal(second?.response.response.patch, undefined, 'the second answer has no patch')

  const proxy = created.spec.containers.find(({ name }) => name === 'proxy')
  t.ok(proxy, 'the created pod has the container that the mesh added')
  t.notOk(
    proxy?.volumeMounts?.some(({ name }) => name === secretsVolume),
    'it has no mount of the injector',
  )
  t.equal(created.spec.initContainers?.filter(({ name }) => name === sidecarContainer).length, 1, 'one sidecar')
})
