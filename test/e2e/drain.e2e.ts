import t from 'tap'
import { makeServiceAccount, pod } from './support/apps.ts'
import { kubectl, list, makeNamespace, toYaml, tryKubectl } from './support/kubectl.ts'
import { readyPods, type Pod } from './support/pods.ts'

const system = 'akv-injector-system'
const selector = 'app.kubernetes.io/name=akv-injector'

void t.test('no admission fails while a replica of the webhook is deleted', async (t) => {
  const namespace = await makeNamespace(t)
  await makeServiceAccount(namespace)
  const [first] = await readyPods(system, selector, 2)

  // A dry run goes through every webhook, and leaves no pods behind.
  const object = toYaml([
    pod(namespace, 'app', {
      annotations: { vault: 'my-kv', objects: 'x' },
      containers: [{ name: 'app', script: 'true' }],
    }),
  ])
  const failures: string[] = []
  let admitted = 0
  let going = true
  const creating = [1, 2].map(async () => {
    while (going) {
      const { code, stdout, stderr } = await tryKubectl(['create', '--dry-run=server', '-o', 'json', '-f', '-'], object)
      if (code !== 0) failures.push(stderr.trim())
      else if (!stdout.includes('akv-injector-secrets')) failures.push('admitted without the sidecar')
      else admitted++
    }
  })
  try {
    await kubectl(['delete', 'pod', '-n', system, first!.metadata.name, '--wait=true', '--timeout=90s'])
    const pods = await readyPods(system, selector, 2)
    t.notOk(
      pods.some(({ metadata }) => metadata.uid === first!.metadata.uid),
      'the replica was replaced',
    )
  } finally {
    going = false
    await Promise.all(creating)
  }
  t.strictSame(failures, [], `none of ${admitted + failures.length} admissions failed`)
  t.ok(admitted > 20, `${admitted} pods were admitted meanwhile`)
  t.equal((await list<Pod>(namespace, 'pods')).length, 0)
})
