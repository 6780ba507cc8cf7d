import t, { type Test } from 'tap'
import { annotationPrefix, sidecarContainer } from '../../shared/names.ts'
import { pod, reloading } from './support/apps.ts'
import { apply, kubectl } from './support/kubectl.ts'
import { logHas, readyPod, sidecarStatus } from './support/pods.ts'
import { eventually } from './support/process.ts'
import { makeStage } from './support/stage.ts'

const app = { name: 'app', script: reloading('echo start: $(cat /mnt/secrets/db-password)') }

/** A pod that by itself would poll no more while the story lasts. */
async function quietPod(t: Test) {
  const { namespace, emulator, vault } = await makeStage(t, { 'db-password': 'password-1' })
  const annotations = { vault, objects: 'db-password', 'poll-interval': '6h', signal: 'SIGHUP' }
  await apply(pod(namespace, 'app', { annotations, containers: [app] }))
  await readyPod(namespace, 'app')
  return {
    namespace,
    rotate: (count: number) => emulator.setSecret(vault, 'db-password', `password-${count}`),
    asked: async () => Object.values(await emulator.counts(vault)).reduce((sum, count) => sum + count, 0),
    annotate: (text: string) => kubectl(['annotate', '--overwrite', '-n', namespace, 'pod', 'app', annotationPrefix + text]), // prettier-ignore
  }
}

void t.test('kubectl annotate refresh: the sidecar polls at once', async (t) => {
  const { namespace, rotate, asked, annotate } = await quietPod(t)
  await rotate(2)
  const before = await asked()
  await annotate('refresh=1')
  const annotated = Date.now()
  await eventually('a poll', async () => (await asked()) > before, { every: 20 })
  t.comment(`polled ${((Date.now() - annotated) / 1000).toFixed(2)} s after kubectl annotate`)
  await logHas(namespace, 'app', 'app', 'reloaded: password-2')
})

void t.test('suspend, and a wrong value: kubectl logs tells what is in force', async (t) => {
  const { namespace, rotate, asked, annotate } = await quietPod(t)
  await annotate('suspend=true')
  await logHas(namespace, 'app', sidecarContainer, /"event":"live".*"suspend":true/)
  await rotate(2)
  const before = await asked()
  await annotate('refresh=1')
  await logHas(namespace, 'app', sidecarContainer, 'a poll was asked for: it comes when suspend ends')
  await annotate('suspend=yes')
  await logHas(namespace, 'app', sidecarContainer, /suspend: .*yes.* is neither .*true.* nor .*false.*; it stays true/)
  t.match(await sidecarStatus(t, namespace, 'app'), { suspended: true })
  t.equal(await asked(), before, 'the vault is asked for nothing')
  await annotate('suspend-')
  await logHas(namespace, 'app', 'app', 'reloaded: password-2')
  await annotate('poll-interval=1ms')
  await logHas(namespace, 'app', sidecarContainer, /poll-interval: 1ms is outside of the bounds .*; it is 1s/)
})
