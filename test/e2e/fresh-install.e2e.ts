import t from 'tap'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { admitPods } from './support/admissions.ts'
import { deployment, pod } from './support/apps.ts'
import { apply, get, list, tryApply } from './support/kubectl.ts'
import { beside, install, newName, newTag, render, write } from './support/own-installation.ts'
import { readyPods, type Pod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeTeam } from './support/fixture.ts'

const system = 'platform-fresh'
const app = { name: 'app', script: 'while :; do sleep 1; done' }
const wanted = { vault: 'my-kv', objects: 'db-password' }
const wrong = { ...wanted, splay: 'soon' }
const sidecars = ({ spec }: Pod): number =>
  spec.initContainers?.filter(({ name }) => name === sidecarContainer).length ?? 0

void t.test('fresh installation: applied at once, and applied again while pods are created', async (t) => {
  const folder = write(
    'e2e-fresh',
    `namespace: ${system}
resources: [../../manifests/overlays/self-managed]
images: [{name: akv-injector, newName: ${newName}, newTag: ${newTag}}]
configMapGenerator:
  - name: akv-injector-configuration
    namespace: akv-injector-system
    behavior: replace
    literals: ['configuration.yaml={tenantId: 11111111-1111-1111-1111-111111111111, workloadTemplates: deny}']
generatorOptions: {disableNameSuffixHash: true}
`,
  )
  const all = beside(await render(folder), 'fresh')
  const team = await makeTeam(t, { [injectionLabel]: 'fresh' })
  await install(t, all)
  // No replica answers yet: pods are rejected, and their creators retry.
  await apply(deployment(team, 'eager', 2, { annotations: wanted, containers: [app] }))
  await readyPods(system, 'app.kubernetes.io/name=akv-injector', 2, 120)
  const made = await eventually(
    'its pods are made, with their sidecar',
    async () => {
      const pods = await list<Pod>(team, 'pods', 'app=eager')
      return pods.length === 2 && pods
    },
    { seconds: 120, every: 1000 },
  )
  t.strictSame(made.map(sidecars), [1, 1], 'none slipped through before the webhook was up')

  // The standby may have injected them, and workloads are reviewed by the other Service.
  const strict = await eventually('a Deployment is refused', async () => {
    const said = await tryApply(
      [deployment(team, 'wrong', 0, { annotations: wrong, containers: [app] })],
      '--dry-run=server',
    )
    return said.code !== 0 && said
  })
  t.match(
    strict.stderr,
    /denied the request: Deployment wrong in namespace .*splay "soon"/,
    'as the administrator says',
  )
  const trial = await makeTeam(t, { [injectionLabel]: 'fresh-report' })
  const told = await tryApply([deployment(trial, 'wrong', 0, { annotations: wrong, containers: [app] })])
  t.equal(told.code, 0, 'nothing is refused where pods are only reported on')
  t.match(told.stderr, /Warning: pods of Deployment wrong would be rejected: .*splay "soon"/)

  const certificate = async () => (await get<{ data?: object }>(system, 'secret', 'akv-injector-certificates')).data
  const before = await certificate()
  const pods = await admitPods(t, team, pod(team, 'app', { annotations: wanted, containers: [app] }))
  await pods.more(10)
  for (let times = 0; times < 3; times++) {
    await apply(...all)
    await pods.more(10)
  }
  t.strictSame(await certificate(), before, 'the certificate stays')
  t.strictSame(pods.failures(), [], `none of ${pods.admitted()} admissions failed`)
})
