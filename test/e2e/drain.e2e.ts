import t from 'tap'
import { admitPods } from './support/admissions.ts'
import { pod } from './support/apps.ts'
import { kubectl } from './support/kubectl.ts'
import { readyPods } from './support/pods.ts'
import { makeTeam } from './support/stage.ts'

const system = 'akv-injector-system'
const selector = 'app.kubernetes.io/name=akv-injector'

void t.test('no admission fails while a replica of the webhook is deleted', async (t) => {
  const namespace = await makeTeam(t)
  const [first] = await readyPods(system, selector, 2)
  const annotations = { vault: 'my-kv', objects: 'x' }
  const pods = await admitPods(t, namespace, pod(namespace, 'app', { annotations, containers: [{ name: 'app', script: 'true' }] })) // prettier-ignore
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
