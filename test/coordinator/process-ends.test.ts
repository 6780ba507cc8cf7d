import { once } from 'node:events'
import t from 'tap'
import { coordinatorClient } from '../support/coordinator-process.ts'
import { isReady } from '../support/sidecar-bundle.ts'
import { until } from '../support/until.ts'
import { processScene } from './process-scene.ts'

void t.test('coordinator: a covered pod requests nothing, and polls again when it is killed or stopped', async (t) => {
  const { pod, vault, start, requests, serves } = await processScene(t, 2_000)
  let coordinator = await start()
  const sidecar = pod.start()
  await isReady(sidecar)
  const quiet = (): Promise<unknown> => {
    let last = { count: requests(), at: performance.now() }
    return until(
      'no request in 5 s',
      () => {
        const count = requests()
        if (count !== last.count) last = { count, at: performance.now() }
        return performance.now() - last.at > 5_000
      },
      { timeoutMs: 60_000 },
    )
  }
  await quiet()
  vault.setSecret('a', 'a-2')
  await serves('a-2')

  await quiet()
  coordinator.child.kill('SIGKILL')
  vault.setSecret('a', 'a-3')
  await serves('a-3')

  coordinator = await start()
  await quiet()
  coordinator.child.kill('SIGSTOP')
  vault.setSecret('a', 'a-4')
  await serves('a-4')
  coordinator.child.kill('SIGCONT')

  await quiet()
  pod.emulator.access.set(coordinatorClient, [])
  vault.setSecret('a', 'a-5')
  await serves('a-5')
  await until('the log names the role', () => coordinator.output().includes('Key Vault Reader'))

  coordinator.child.kill('SIGTERM')
  await once(coordinator.child, 'exit')
  vault.setSecret('a', 'a-6')
  await serves('a-6')
  t.equal(sidecar.process.exitCode, null)
})
