import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { deployment } from './support/apps.ts'
import { apply, kubectl } from './support/kubectl.ts'
import { logHas, readyPods } from './support/pods.ts'
import { makeFixture } from './support/fixture.ts'

const script = `
echo "first: $(cat /mnt/secrets/db-password) $(cat /mnt/secrets/api-key) $(cat /mnt/secrets/conf/token)"
echo "mount: $(grep ' /mnt/secrets ' /proc/mounts)"
touch /mnt/secrets/new 2>&1; echo "touch: $?"
sh -c 'echo x > /mnt/secrets/db-password' 2>&1; echo "write: $?"
while :; do sleep 1; done`

void t.test("start: a Deployment's containers read three secrets in their first instruction", async (t) => {
  const secrets = { 'db-password': 'one', 'api-key': 'two', token: 'three' }
  const { namespace, vault } = await makeFixture(t, secrets, { 'pod-security.kubernetes.io/enforce': 'restricted' })
  await apply(
    deployment(namespace, 'web', 2, {
      annotations: { vault, objects: 'db-password, api-key, token=conf/token' },
      initContainers: [{ name: 'migrate', script: 'echo "init: $(cat /mnt/secrets/db-password)"' }],
      containers: [{ name: 'app', script }],
    }),
  )

  const pods = await readyPods(namespace, 'app=web', 2)
  for (const pod of pods) {
    const { name } = pod.metadata
    await logHas(namespace, name, 'migrate', 'init: one')
    const log = await logHas(namespace, name, 'app', /write: \d/)
    t.match(log, 'first: one two three', 'the first instruction of the app reads all three')
    t.match(log, /mount: tmpfs \/mnt\/secrets tmpfs ro/, 'the volume is a read-only tmpfs')
    t.match(log, /touch: [1-9]/, 'no file can be added')
    t.match(log, /write: [1-9]/, 'no file can be changed')

    const sidecar = pod.spec.initContainers?.find((container) => container.name === sidecarContainer)
    t.match(sidecar?.securityContext, {
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
    })
    const inside = await kubectl([
      ...['exec', '-n', namespace, name, '-c', sidecarContainer, '--', '/nodejs/bin/node', '-e'],
      `const fs = require('fs')
       let root = 'read-only'
       try { fs.writeFileSync('/x', ''); root = 'writable' } catch {}
       console.log(JSON.stringify({ uid: process.getuid(), root, token: fs.existsSync('/var/run/secrets/kubernetes.io/serviceaccount/token') }))`,
    ])
    const seen = JSON.parse(inside) as { uid: number; root: string; token: boolean }
    t.not(seen.uid, 0, 'the sidecar is not root')
    t.equal(seen.root, 'read-only', "the sidecar's root is read-only")
    t.equal(seen.token, false, 'the sidecar has no API token')
  }
})
