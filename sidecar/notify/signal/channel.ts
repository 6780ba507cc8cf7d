import type { SignalTarget } from '../../../shared/settings/codec.ts'
import type { Attempt } from '../channel.ts'
import type { Notification } from '../notification.ts'
import type { ProcFolder, Process } from './procfs.ts'
import { isWarmedUp, type Kill, sendSignal } from './send.ts'
import { nameOf, type Choice } from './target.ts'

export interface SignalAttemptOptions {
  signal: SignalTarget
  proc: ProcFolder
  kill: Kill
  choose: () => Promise<Choice>
}

const key = ({ pid, start }: Process): string => `${pid}:${start}`

/**
 * Creates the attempt to signal the target. If there are several processes, those that have received this notification's
 * signal do not receive it again when it is retried for the others, which were refused or have just started.
 */
export function createSignalAttempt({
  signal,
  proc,
  kill,
  choose,
}: SignalAttemptOptions): (notification: Notification, abort: AbortSignal) => Promise<Attempt> {
  let notified = { id: '', keys: new Set<string>() }
  return async ({ id }, abort) => {
    const choice = await choose()
    // A later notification has replaced this one, and includes it.
    if (abort.aborted) return { outcome: 'no-such-process', detail: 'replaced by a later change' }
    if (notified.id !== id) notified = { id, keys: new Set() }
    if ('outcome' in choice) return { ...choice, soon: choice.outcome === 'no-such-process' }

    const left = choice.processes.filter((target) => !notified.keys.has(key(target)))
    if (left.length === 0)
      return { outcome: 'delivered', detail: `${choice.processes.map(nameOf).join(', ')} received ${signal.name}` }
    const { warmedUp = [], young = [] } = Object.groupBy(left, (target) =>
      isWarmedUp(proc, target, signal.name) ? 'warmedUp' : 'young',
    )
    if (warmedUp.length > 0) {
      const { processes, ...sent } = sendSignal(proc, warmedUp, signal.name, kill)
      for (const target of processes) notified.keys.add(key(target))
      if (sent.outcome !== 'delivered' || young.length === 0)
        return { ...sent, soon: sent.outcome === 'no-such-process' }
    }
    return { outcome: 'no-such-process', detail: `${young.map(nameOf).join(', ')} has just started`, soon: true }
  }
}
