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

/** What was done for one notification. */
interface Notified {
  id: string
  received: Process[]
  /** The processes that have yet to receive the signal, by key; undefined before the first has. */
  left?: Set<string>
}

const create = (id: string): Notified => ({ id, received: [] })

const key = ({ pid, start }: Process): string => `${pid}:${start}`

/**
 * Creates the attempt to signal the target. If there are several processes, those that have received this notification's
 * signal do not receive it again when it is retried for the others, which were refused or have just started. Processes that
 * start after the first signal receive none: they have read the new files, and one may have replaced a process that the
 * signal ended, so that signaling it would end its replacements forever.
 */
export function createSignalAttempt({
  signal,
  proc,
  kill,
  choose,
}: SignalAttemptOptions): (notification: Notification, abort: AbortSignal) => Promise<Attempt> {
  let notified = create('')
  return async ({ id }, abort) => {
    const choice = await choose()
    // A later notification has replaced this one, and includes it.
    if (abort.aborted) return { outcome: 'no-such-process', detail: 'replaced by a later change' }
    if (notified.id !== id) notified = create(id)
    if ('outcome' in choice) return { ...choice, soon: choice.outcome === 'no-such-process' }

    const left = choice.processes.filter((target) => notified.left?.has(key(target)) ?? true)
    if (left.length === 0)
      return { outcome: 'delivered', detail: `${notified.received.map(nameOf).join(', ')} received ${signal.name}` }
    const { warmedUp = [], young = [] } = Object.groupBy(left, (target) =>
      isWarmedUp(proc, target, signal.name) ? 'warmedUp' : 'young',
    )
    if (warmedUp.length > 0) {
      const { processes, ...sent } = sendSignal(proc, warmedUp, signal.name, kill)
      if (processes.length > 0) notified.left ??= new Set(choice.processes.map(key))
      for (const target of processes) notified.left?.delete(key(target))
      notified.received.push(...processes)
      if (sent.outcome !== 'delivered' || young.length === 0)
        return { ...sent, soon: sent.outcome === 'no-such-process' }
    }
    return { outcome: 'no-such-process', detail: `${young.map(nameOf).join(', ')} has just started`, soon: true }
  }
}
