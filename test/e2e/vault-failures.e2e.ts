import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { apply, kubectl, logs } from './support/kubectl.ts'
import { describedLastState, getPod, logHas, readyPod, statusOf } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'

const app = { name: 'app', script: 'echo app: $(cat /mnt/secrets/db-password); while :; do sleep 1; done' }
const role = /Key Vault Secrets User/

/** Returns a pod's row in `kubectl get pods`. */
async function row(namespace: string, name: string): Promise<{ status: string; restarts: number }> {
  const text = await kubectl(['get', 'pods', '-n', namespace, name, '--no-headers'])
  const [, , status = '', restarts = ''] = text.trim().split(/\s+/)
  return { status, restarts: Number(restarts) }
}

void t.test(
  'vault failures: kubectl shows a forbidden access with reason and role, and the pod starts once it is granted',
  async (t) => {
    const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'granted' })
    const grant = await emulator.fault({ match: { vault }, fault: { kind: 'forbid', inner: 'ForbiddenByRbac' } })
    const created = Date.now()
    await apply(pod(namespace, 'app', { annotations: { vault, objects: 'db-password' }, containers: [app] }))

    const seconds = (): number => Math.round((Date.now() - created) / 1000)
    const described = await eventually('kubectl describe pod has the reason as the last state', async () => {
      const lastState = await describedLastState(namespace, 'app')
      return role.test(lastState) && lastState
    })
    t.ok(seconds() < 30, `within 30 s (${seconds()} s)`)
    await eventually('kubectl get pods counts the restart', async () => (await row(namespace, 'app')).restarts >= 1)
    t.ok(seconds() < 30, `within 30 s (${seconds()} s)`)
    await eventually(
      'kubectl get pods shows that it fails',
      async () => /Error|CrashLoopBackOff/.test((await row(namespace, 'app')).status),
      { seconds: 90 },
    )
    t.ok(seconds() < 60, `within 60 s (${seconds()} s)`)
    t.match(described, /ForbiddenByRbac/)
    t.match(described, /secret db-password/)
    const log = await eventually('kubectl logs has it too', async () => {
      const text = await logs(namespace, 'app', sidecarContainer)
      return role.test(text) && text
    })
    t.match(log, /ForbiddenByRbac/)
    t.match(statusOf(await getPod(namespace, 'app'), 'app')?.state, { waiting: {} }, 'the app did not start')

    await grant()
    await readyPod(namespace, 'app', 120)
    await logHas(namespace, 'app', 'app', 'app: granted')
  },
)

for (const { name, fault, told } of [
  { name: 'throttles', fault: { kind: 'throttle' }, told: /throttled/i },
  { name: 'hangs', fault: { kind: 'hang' }, told: /timeout|timed out|no answer/i },
]) {
  void t.test(`vault failures: if a vault ${name}, the sidecar keeps retrying and says so`, async (t) => {
    const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'at-last' })
    const end = await emulator.fault({ match: { vault }, fault })
    await apply(pod(namespace, 'app', { annotations: { vault, objects: 'db-password' }, containers: [app] }))
    await logHas(namespace, 'app', sidecarContainer, told, 60)
    const counted = async (): Promise<number> =>
      Object.values(await emulator.counts(vault)).reduce((sum, count) => sum + count, 0)
    const before = await counted()
    await eventually('it tries again', async () => (await counted()) > before)
    t.equal(statusOf(await getPod(namespace, 'app'), sidecarContainer)?.restartCount, 0, 'the sidecar did not exit')
    await end()
    await readyPod(namespace, 'app', 90)
    await logHas(namespace, 'app', 'app', 'app: at-last')
  })
}
