import t from 'tap'
import { clientId, isReady } from '../support/sidecar-bundle.ts'
import { app } from '../support/sidecar-fixture.ts'
import { until } from '../support/until.ts'
import { processScene } from './process-scene.ts'

void t.test('coordinator: its program says where a rotation is, and exits accordingly', async (t) => {
  const { url } = await app(t)
  const notify = { splay: 0, url }
  const { pod, vault, start, rotation, metrics, serves } = await processScene(t, 1_000, { notify })
  const { child, output } = await start()
  const sidecar = pod.start()
  await isReady(sidecar)
  const answers = (code: number, pattern: RegExp) =>
    until(
      `exit code ${code} and ${String(pattern)}`,
      async () => {
        const answer = await rotation('my-kv', 'a')
        return answer.code === code && pattern.test(answer.out) && answer
      },
      { timeoutMs: 60_000 },
    )
  await answers(0, /^secret a in https:\/\/my-kv\.\S+: newest version \w{32}, created 20\S+Z\n {2}1 of 1 pods: /)
  t.match(await rotation('my-kv', 'c'), { code: 3, out: /not known: no pod with a session has the object\n/ })
  t.match(await rotation('my-kv'), { code: 2, err: /^usage: / })

  pod.emulator.access.set(clientId, [])
  vault.setSecret('a', 'a-2')
  const failing = await answers(1, /shop\/pod-0: failing \(serves \w{32}\): forbidden: .*Key Vault Secrets User/)
  t.notMatch(failing.out, /a-[12]/, 'no value')
  t.match(JSON.parse((await rotation('--json', 'my-kv', 'a')).out), {
    objects: [{ total: 1, current: 0, uids: [/./] }],
  })
  t.match(await metrics(), /akv_injector_coordinator_pods\{state="failing"\} 1\n/)
  pod.emulator.access.set(clientId, null)
  await serves('a-2')
  await answers(0, /1 of 1 pods/)

  sidecar.process.kill('SIGKILL')
  await answers(3, /shop\/pod-0: not known: lost/)
  const again = pod.start()
  await isReady(again)
  await answers(0, /1 of 1 pods/)
  again.process.kill('SIGTERM')
  await answers(3, /no pod with a session has the object/)
  t.notMatch(output(), /a-[12]/)

  child.kill('SIGKILL')
  await until('it is gone', () => child.signalCode !== null)
  t.match(await rotation('my-kv', 'a'), { code: 2, err: /^rotation\.js: cannot ask the coordinator: / })
})
