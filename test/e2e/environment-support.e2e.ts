import t from 'tap'
import { pod } from './support/apps.ts'
import { kubectl, tryApply } from './support/kubectl.ts'
import { makeTeam } from './support/fixture.ts'

void t.test('environment variables: admitted from Kubernetes 1.35 on, and denied before', async (t) => {
  const { minor } = JSON.parse(await kubectl(['get', '--raw', '/version'])) as { minor: string }
  const namespace = await makeTeam(t)
  const asking = (more: Record<string, string>) =>
    pod(namespace, 'app', {
      annotations: { vault: 'my-kv', objects: 'a', ...more },
      containers: [{ name: 'app', script: 'sleep 1' }],
    })
  const { code, stdout, stderr } = await tryApply([asking({ env: 'A=a' })], '--dry-run=server', '-o', 'yaml')
  if (Number.parseInt(minor) >= 35) {
    t.equal(code, 0, stderr)
    t.match(stdout, /fileKeyRef:/)
  } else {
    t.equal(code, 1)
    const versions =
      /the API server runs v1\.\d+\.\d+ and a node runs v1\.\d+\.\d+: upgrade, or let the app read a file/
    t.match(stderr, versions)
    t.match(stderr, /\(docs: troubleshooting\.md#env\)/)
  }
  const other = await tryApply([asking({})], '--dry-run=server')
  t.equal(other.code, 0, other.stderr)
})
