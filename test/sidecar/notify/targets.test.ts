import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeProcess } from './signal/proc-tree.ts'
import { app, change, fixture } from './fixture.ts'

void t.test(
  'notifier: the status names the processes that got the last signal, and the newest that was found',
  async (t) => {
    const { folder, notifier, timing } = fixture(t, [app])
    await timing.pass(0)
    t.equal(notifier.status().signaled, undefined)
    notifier.notify(change('a', timing.now()))
    await timing.pass(0)
    t.match(notifier.status(), { targets: [{ pid: 20 }], signaled: [{ pid: 20 }], latest: { pid: 20 } })
    rmSync(join(folder, '20'), { recursive: true })
    t.strictSame(notifier.status().targets, [], 'an ended process is no target')
    await timing.pass(2_000)
    notifier.watchClosely(true)
    await timing.pass(1_000)
    for (const pid of [30, 40]) {
      writeProcess(folder, { ...app, pid, instance: `${pid}`.repeat(4) })
      await timing.pass(200)
      rmSync(join(folder, `${pid}`), { recursive: true })
      t.match(notifier.status(), { targets: [], signaled: [{ pid: 20 }], latest: { pid } })
      // Until it is noticed that the process has ended.
      await timing.pass(2_100)
    }
  },
)
