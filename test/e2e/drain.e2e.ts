import t from 'tap'
import { admitPods } from './support/admissions.ts'
import { pod } from './support/apps.ts'
import { kubectl } from './support/kubectl.ts'
import { installHalves } from './support/own-installation.ts'
import { readyPods } from './support/pods.ts'
import { makeTeam } from './support/fixture.ts'
import { injectionLabel } from '../../shared/names.ts'

const system = 'platform-drain'
const selector = 'app.kubernetes.io/name=akv-injector'

void t.test('drain: no admission fails while a replica of the webhook is deleted', async (t) => {
  // With the drain time of the manifests, which other installations of this suite shorten.
  await installHalves(t, 'drain', system, {})
  const namespace = await makeTeam(t, { [injectionLabel]: 'drain' })
  const [first] = await readyPods(system, selector, 2)
  const annotations = { vault: 'my-kv', objects: 'x' }
  const pods = await admitPods(
    t,
    namespace,
    pod(namespace, 'app', { annotations, containers: [{ name: 'app', script: 'true' }] }),
  )
  await pods.more(10)
  await kubectl(['delete', 'pod', '-n', system, first!.metadata.name, '--wait=true', '--timeout=90s'])
  const replicas = await readyPods(system, selector, 2)
  t.notOk(
    replicas.some(({ metadata }) => metadata.uid === first!.metadata.uid),
    'the replica was replaced',
  )
  await pods.more(10)
  t.strictSame(pods.failures(), [], `none of ${pods.admitted()} admissions failed`)
})
