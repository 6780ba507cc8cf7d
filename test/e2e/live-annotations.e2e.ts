import t, { type Test } from 'tap'
import { annotationPrefix, sidecarContainer } from '../../shared/names.ts'
import { pod, reloading } from './support/apps.ts'
import { apply, kubectl } from './support/kubectl.ts'
import { logHas, readyPod, sidecarStatus } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'

const app = { name: 'app', script: reloading('echo start: $(cat /mnt/secrets/db-password)') }

/** A pod that would not poll again by itself while the scenario runs. */
async function quietPod(t: Test) {
  const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'password-1' })
  const annotations = { vault, objects: 'db-password', 'poll-interval': '6h', signal: 'SIGHUP' }
  await apply(pod(namespace, 'app', { annotations, containers: [app] }))
  await readyPod(namespace, 'app')
  return {
    namespace,
    rotate: (count: number) => emulator.setSecret(vault, 'db-password', `password-${count}`),
    asked: async () => Object.values(await emulator.counts(vault)).reduce((sum, count) => sum + count, 0),
    annotate: (text: string) =>
      kubectl(['annotate', '--overwrite', '-n', namespace, 'pod', 'app', annotationPrefix + text]),
  }
}

void t.test('live annotations: after kubectl annotate refresh the sidecar polls at once', async (t) => {
  const { namespace, rotate, asked, annotate } = await quietPod(t)
  await rotate(2)
  const before = await asked()
  await annotate('refresh=1')
  const annotated = Date.now()
  await eventually('a poll', async () => (await asked()) > before, { every: 20 })
  t.comment(`polled ${((Date.now() - annotated) / 1000).toFixed(2)} s after kubectl annotate`)
  await logHas(namespace, 'app', 'app', 'reloaded: password-2')
})

void t.test('live annotations: kubectl logs shows what applies after suspend and an invalid value', async (t) => {
  const { namespace, rotate, asked, annotate } = await quietPod(t)
  await annotate('suspend=true')
  await logHas(namespace, 'app', sidecarContainer, /"event":"live".*"suspend":true/)
  await rotate(2)
  const before = await asked()
  await annotate('refresh=1')
  await logHas(namespace, 'app', sidecarContainer, 'refresh requested; the vaults are polled when suspend ends')
  await annotate('suspend=yes')
  await logHas(namespace, 'app', sidecarContainer, /suspend: expected true or false, not .*yes.*; it stays true/)
  t.match(await sidecarStatus(t, namespace, 'app'), { suspended: true })
  t.equal(await asked(), before, 'the vault is asked for nothing')
  await annotate('suspend-')
  await logHas(namespace, 'app', 'app', 'reloaded: password-2')
  await annotate('poll-interval=1ms')
  await logHas(
    namespace,
    'app',
    sidecarContainer,
    /poll-interval: 1ms is outside the administrator's bounds; 1s is used/,
  )
})
