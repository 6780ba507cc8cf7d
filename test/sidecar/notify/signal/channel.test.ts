import t from 'tap'
import { createProcFolder } from '../../../../sidecar/notify/signal/procfs.ts'
import { createSignalAttempt } from '../../../../sidecar/notify/signal/channel.ts'
import { type Choice, chooseTarget } from '../../../../sidecar/notify/signal/target.ts'
import { writePod } from './proc-tree.ts'
import { app, change, hup } from '../fixture.ts'

void t.test('signal: a change that is replaced during the search for the target is not sent on its own', async (t) => {
  const proc = createProcFolder(writePod(t.testdir(), [app]))
  const found = Promise.withResolvers<Choice>()
  const sent: string[] = []
  const kill = (pid: number, signal: string | 0) => void sent.push(`${pid} ${signal}`)
  const attempt = createSignalAttempt({ signal: hup, proc, kill, choose: () => found.promise })
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
