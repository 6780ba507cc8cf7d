import t from 'tap'
import { secretsVolume, sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { apply, tryKubectl } from './support/kubectl.ts'
import { getPod, logHas, readyPod, type Pod } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'

const image = process.env['E2E_APP_IMAGE'] ?? 'busybox:1.37'
const own = 'while :; do sleep 1; done'

void t.test('copied pods: kubectl debug works with a copy and with a container that joins the pod', async (t) => {
  const { namespace, vault } = await makeFixture(t, { 'db-password': 'the value' })
  const script = `echo found: $(cat /mnt/secrets/db-password); ${own}`
  await apply(
    pod(namespace, 'app', {
      annotations: { vault, objects: 'db-password', signal: 'SIGHUP' },
      containers: [{ name: 'app', script }],
    }),
  )
  const original = await readyPod(namespace, 'app')

  const debug = (...args: string[]) =>
    tryKubectl([
      'debug',
      '-n',
      namespace,
      'app',
      `--image=${image}`,
      '--image-pull-policy=IfNotPresent',
      '--profile=restricted',
      ...args,
      '--',
      'sleep',
      '3600',
    ])
  const copied = await debug('--copy-to=copy', '--container=debugger', '--share-processes', '--keep-annotations')
  t.equal(copied.code, 0, copied.stderr)
  t.match(
    copied.stderr,
    /akv-injector does not review this pod, which keeps the sidecar it came with: label azure.workload.identity\/use: "true" is missing/,
    'kubectl says what becomes of a copy without its labels',
  )
  // A copy that keeps them is reviewed, and gets exactly the sidecar of a new pod.
  const labelled = await debug(
    '--copy-to=labelled',
    '--container=debugger',
    '--share-processes',
    '--keep-labels',
    '--keep-annotations',
  )
  t.equal(labelled.code, 0, labelled.stderr)
  t.notMatch(labelled.stderr, /akv-injector/, 'nothing is removed from it, and nothing is said')
  await logHas(namespace, 'copy', 'app', 'found: the value')
  const copy = await readyPod(namespace, 'copy')
  const names = ({ spec }: Pod, of: 'containers' | 'initContainers') => spec[of]?.map(({ name }) => name)
  t.strictSame(names(copy, 'initContainers'), names(original, 'initContainers'), 'one sidecar')
  t.strictSame(names(copy, 'containers'), ['app', 'debugger'])
  const debugger_ = copy.spec.containers.find(({ name }) => name === 'debugger')
  t.notOk(
    debugger_?.volumeMounts?.some(({ name }) => name === secretsVolume),
    'the debugger has no mount of the injector',
  )
  t.equal(copy.spec.volumes?.filter(({ name }) => name === secretsVolume).length, 1)

  const reviewed = await readyPod(namespace, 'labelled')
  t.strictSame(reviewed.spec.initContainers, original.spec.initContainers, 'its sidecar is the same')
  t.strictSame(names(reviewed, 'containers'), ['app', 'debugger'])

  const joined = await debug('--container=joined', '--target=app')
  t.equal(joined.code, 0, joined.stderr)
  await eventually('the ephemeral container runs', async () => {
    const { status } = (await getPod(namespace, 'app')) as Pod & {
      status: { ephemeralContainerStatuses?: { state: { running?: object } }[] }
    }
    return status.ephemeralContainerStatuses?.[0]?.state.running
  })
  const after = await getPod(namespace, 'app')
  t.strictSame(after.spec.initContainers, original.spec.initContainers, 'the running pod is as it was')
  t.equal(after.spec.initContainers?.[0]?.name, sidecarContainer)
})
