import t from 'tap'
import { parse } from 'yaml'
import { environmentContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture, makeTeam } from './support/fixture.ts'
import { apply, get, tryApply, tryKubectl, type KubernetesObject } from './support/kubectl.ts'
import { startMesh } from './support/mesh.ts'
import { logHas, readyPod, type Pod } from './support/pods.ts'
import { untilSigterm, variablesOf } from './support/variables.ts'

const image = process.env['E2E_APP_IMAGE'] ?? 'busybox:1.37'

void t.test('environment variables: a webhook that decodes pods into older types', async (t) => {
  const mesh = await startMesh(t)
  const namespace = await makeTeam(t, mesh.labels)
  const asking = pod(namespace, 'app', {
    annotations: { vault: 'my-kv', env: 'DB_PASSWORD=db-password' },
    containers: [{ name: 'app', script: untilSigterm }],
  })
  const create = async () => tryApply([asking], '--dry-run=server', '-o', 'yaml')
  const cases = [
    { name: 'azure-old', policy: 'IfNeeded' },
    { name: 'azure-old', policy: 'Never' },
    { name: 'zzz-old', policy: 'Never' },
  ] as const
  for (const { name, policy } of cases) {
    await t.test(`${name}, ${policy}: the pod has its variables`, async (t) => {
      const end = await mesh.register(name, '/old-types', policy)
      const created = await eventually('the webhook is asked', async () => {
        const { code, stdout } = await create()
        const created = parse(stdout) as Pod
        return code === 0 && created.metadata.annotations?.['mesh.example.com/seen'] !== undefined && created
      })
      t.comment(`asked ${created.metadata.annotations?.['mesh.example.com/seen']} times`)
      t.strictSame(variablesOf(created), { [environmentContainer]: ['AKV_ENV_DB_PASSWORD'], app: ['DB_PASSWORD'] })
      await end()
      await eventually('the webhook is gone', async () => {
        const { stdout } = await create()
        return !stdout.includes('mesh.example.com/seen')
      })
    })
  }
  await t.test('zzz-old, IfNeeded: the API server rejects the pod', async (t) => {
    await mesh.register('zzz-old', '/old-types', 'IfNeeded')
    const { stderr } = await eventually('the webhook is asked', async () => {
      const answer = await create()
      return answer.code !== 0 && answer
    })
    t.match(stderr, /The Pod "app" is invalid/)
    t.match(stderr, /env\[0\]\.valueFrom: Invalid value: .*must specify one of/)
  })
})

void t.test('environment variables: a copy of a pod is as a new one, whatever its kubectl knows', async (t) => {
  const { namespace, vault } = await makeFixture(t, { 'db-password': 'one' })
  await apply(
    pod(namespace, 'app', {
      annotations: { vault, env: 'DB_PASSWORD=db-password' },
      containers: [{ name: 'app', script: `echo $DB_PASSWORD; ${untilSigterm}` }],
    }),
  )
  const original = await readyPod(namespace, 'app')
  const copied = await tryKubectl([
    ...[
      'debug',
      '-n',
      namespace,
      'app',
      `--image=${image}`,
      '--image-pull-policy=IfNotPresent',
      '--profile=restricted',
    ],
    ...['--copy-to=copy', '--container=debugger', '--share-processes', '--keep-labels', '--keep-annotations'],
    ...['--', 'sleep', '3600'],
  ])
  t.equal(copied.code, 0, copied.stderr)
  const copy = await readyPod(namespace, 'copy')
  t.strictSame(copy.spec.initContainers, original.spec.initContainers)
  t.strictSame(variablesOf(copy), variablesOf(original))
  await logHas(namespace, 'copy', 'app', 'one')
  const file = '/mnt/secrets/..data/..env/DB_PASSWORD'
  const read = await tryKubectl(['exec', '-n', namespace, 'app', '-c', 'app', '--', 'cat', file])
  t.match(
    read,
    { code: 1, stderr: /Permission denied/ },
    'only the sidecar and the kubelet read the files of variables',
  )

  // The same as written by its author: with the sidecar and all variables already in it.
  const { spec, metadata } = await get<Pod & KubernetesObject>(namespace, 'pod', 'app')
  const { labels, annotations } = metadata
  const again = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'again', namespace, labels, annotations } }
  const { nodeName: _node, ...rest } = spec as Pod['spec'] & { nodeName?: string }
  await apply({ ...again, spec: rest })
  t.strictSame((await readyPod(namespace, 'again')).spec.initContainers, original.spec.initContainers)
})
