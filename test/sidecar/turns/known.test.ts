import t from 'tap'
import type { Readiness } from '../../../shared/settings/schema.ts'
import { maxTurnVersions } from '../../../shared/coordination/limits.ts'
import { minute, second, servingPod, turnPod } from './scene.ts'

const readiness: Readiness = {
  ...{ scheme: 'http', port: 8080, path: '/', headers: [] },
  ...{ period: 2 * second, timeout: second },
}

/** A pod that has just started, with a new version that it has read. */
async function justStarted(t: Parameters<typeof turnPod>[0], isReady: boolean) {
  const scene = await turnPod(t, ['a'], { pollInterval: 2 * second, turns: { readiness } })
  scene.app.answer = { isReady, detail: 'GET http://:8080/ answered 503' }
  scene.startApp()
  await scene.pod.start()
  await scene.pod.advance(second)
  scene.pod.vault.set('a', 'a-2')
  await scene.pod.advance(6 * second)
  return scene
}

void t.test('turns: a pod of which is not known yet whether it is up requests no turn', async (t) => {
  const scene = await justStarted(t, true)
  t.equal(scene.pod.status().turn?.state, 'waiting')
  t.equal(scene.request(), undefined, 'one that is down would get it at once')
  t.equal(scene.states().at(-1)?.isUp, false)
  await scene.pod.advance(20 * second)
  t.match(scene.states().at(-1), { isUp: true, request: { phase: 'waiting' } })
  t.notOk(scene.states().some(({ isUp, request }) => request && !isUp))
})

void t.test('turns: a pod that is down says so after it had the time to look', async (t) => {
  const scene = await justStarted(t, false)
  t.equal(scene.request(), undefined)
  await scene.pod.advance(40 * second)
  t.match(scene.states().at(-1), { isUp: false, request: { phase: 'waiting' } })
})

void t.test('turns: a pod whose app starts long after its sidecar does not count as down', async (t) => {
  const scene = await turnPod(t, ['a'], { pollInterval: 2 * second, turns: { readiness } })
  await scene.pod.start()
  await scene.pod.advance(25 * second)
  scene.startApp()
  scene.pod.vault.set('a', 'a-2')
  await scene.pod.advance(40 * second)
  t.match(scene.states().at(-1), { isUp: true, request: { phase: 'waiting' } })
  t.notOk(scene.states().some(({ isUp, request }) => request && !isUp))
})

void t.test('turns: an app that is not up is asked as often as the kubelet asks it', async (t) => {
  const scene = await justStarted(t, false)
  await scene.pod.advance(40 * second)
  const { asked } = scene.app
  await scene.pod.advance(20 * second)
  t.equal(scene.app.asked - asked, 10, 'every 2 s, so that it counts as up soon after it is')
  scene.app.answer = { isReady: true, detail: 'GET http://:8080/ answered 200' }
  await scene.pod.advance(7 * second)
  t.match(scene.states().at(-1), { isUp: true })
})

void t.test('turns: a pod whose processes end again and again counts as down', async (t) => {
  const scene = await justStarted(t, false)
  for (let count = 0; count < 40; count++) {
    await scene.pod.advance(second)
    scene.startApp()
  }
  t.match(scene.states().at(-1), { isUp: false, request: { phase: 'waiting' } })
})

void t.test('turns: a set of very many changes names as many as a message takes', async (t) => {
  const names = Array.from({ length: maxTurnVersions + 20 }, (_, index) => `secret-${index}`)
  const { pod, request, grant } = await servingPod(t, names)
  for (const name of names) pod.vault.set(name, `${name}-2`)
  await pod.advance(3 * minute)
  t.equal(request()?.versions.length, maxTurnVersions)
  await grant()
  await pod.advance(second)
  t.equal(pod.files()['secret-369'], 'secret-369-2')
})
