import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { pod } from './support/apps.ts'
import { apply } from './support/kubectl.ts'
import { describedLastState, getPod, statusOf } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeTeam } from './support/fixture.ts'

const app = { name: 'app', script: 'while :; do sleep 1; done' }

/** Returns the last state of a pod's sidecar. */
async function lastRun(namespace: string, name: string) {
  const status = statusOf(await getPod(namespace, name), sidecarContainer)
  return { restarts: status?.restartCount ?? 0, ...status?.lastState?.terminated }
}

void t.test('failed start: kubectl describe pod shows within 75 s that a vault name does not resolve', async (t) => {
  const namespace = await makeTeam(t)
  const created = Date.now()
  await apply(
    pod(namespace, 'app', { annotations: { vault: 'kv-misspelled', objects: 'db-password' }, containers: [app] }),
  )
  const described = await eventually(
    'kubectl describe pod has the reason as the last state',
    async () => {
      const lastState = await describedLastState(namespace, 'app')
      return lastState.includes('kv-misspelled') && lastState
    },
    { seconds: 120 },
  )
  const seconds = Math.round((Date.now() - created) / 1000)
  t.ok(seconds < 75, `within 75 s (${seconds} s)`)
  t.match(described, /secret db-password: (ENOTFOUND|EAI_AGAIN|ETIMEDOUT)/)
})

void t.test('failed start: each run ends by itself and keeps its reason', async (t) => {
  const namespace = await makeTeam(t)
  const annotations = { vault: 'kv-misspelled', objects: 'db-password', 'startup-timeout': '20s' }
  await apply(pod(namespace, 'app', { annotations, containers: [app] }))
  for (const restarts of [1, 2, 3]) {
    const last = await eventually(
      `run ${restarts} ended`,
      async () => {
        const run = await lastRun(namespace, 'app')
        return run.restarts >= restarts && run
      },
      { seconds: 150 },
    )
    t.match(last, { exitCode: 1, reason: 'Error', message: /kv-misspelled.*\ngave up after 20s/s }, `run ${restarts}`)
    const { startedAt = '', finishedAt = '' } = last
    const seconds = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000
    t.ok(seconds >= 19 && seconds < 30, `run ${restarts} took ${seconds} s`)
  }
})

void t.test('failed start: the reason keeps its link in a pod of thirty containers', async (t) => {
  const namespace = await makeTeam(t)
  // Each vault fails with a reason of its own, so that the whole text is longer than what is kept.
  const objects = Array.from(
    { length: 10 },
    (_, index) => `- { name: a, path: a-${index}, vault: kv-misspelled-${index} }`,
  )
  const containers = Array.from({ length: 29 }, (_, index) => ({ ...app, name: `app-${index}` }))
  await apply(
    pod(namespace, 'app', { annotations: { objects: objects.join('\n'), 'startup-timeout': '20s' }, containers }),
  )
  const { message = '' } = await eventually(
    'the first run ended',
    async () => {
      const run = await lastRun(namespace, 'app')
      return run.restarts > 0 && run
    },
    { seconds: 150 },
  )
  // The kubelet's own part: 12 KiB for thirty containers.
  t.ok(Buffer.byteLength(message) <= 409, `${Buffer.byteLength(message)} bytes`)
  t.match(
    message,
    /^vault kv-misspelled-0, .*\.\.\. and \d+ more; see the log \(docs: troubleshooting\.md#sidecar-network\)$/s,
  )
})
