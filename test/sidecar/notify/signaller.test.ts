import t from 'tap'
import { openProc } from '../../../sidecar/notify/processes.ts'
import { createSignaller } from '../../../sidecar/notify/signaller.ts'
import { type Choice, chooseTarget } from '../../../sidecar/notify/target.ts'
import { writePod } from './proc-tree.ts'
import { app, change, hup } from './stage.ts'

void t.test('a change that is replaced while the target is looked for is not told on its own', async (t) => {
  const proc = openProc(writePod(t.testdir(), [app]))
  const found = Promise.withResolvers<Choice>()
  const sent: string[] = []
  const kill = (pid: number, signal: string | 0) => void sent.push(`${pid} ${signal}`)
  const attempt = createSignaller({ target: hup, proc, kill, choose: () => found.promise })
  const replaced = new AbortController()
  const tries = [
    attempt(change('a', 0), replaced.signal),
    attempt(change('b', 0), new AbortController().signal), //
  ]
  replaced.abort()
  found.resolve(await chooseTarget(proc, hup))
  t.match(await Promise.all(tries), [{ outcome: 'no-such-process' }, { outcome: 'delivered' }])
  t.strictSame(sent, ['20 SIGHUP'])
})
