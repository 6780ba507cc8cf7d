import type { SignalTarget } from '../../shared/settings.ts'
import type { Attempt } from './channel.ts'
import type { Notification } from './notification.ts'
import type { ProcFolder, Process } from './processes.ts'
import { isSettled, type Kill, sendSignal } from './signal.ts'
import { called, type Choice } from './target.ts'

export interface SignallerOptions {
  target: SignalTarget
  proc: ProcFolder
  kill: Kill
  choose: () => Promise<Choice>
}

const key = ({ pid, start }: Process): string => `${pid}:${start}`

/**
 * One try to signal the target. Of several processes, those that got this notification's signal do not get it again when
 * it is tried once more for the others, which were refused or have only just started.
 */
export function createSignaller({
  target,
  proc,
  kill,
  choose,
}: SignallerOptions): (notification: Notification, ended: AbortSignal) => Promise<Attempt> {
  let told = { id: '', keys: new Set<string>() }
  return async ({ id }, ended) => {
    const choice = await choose()
    // A later change has taken this one's place, and tells of it too.
    if (ended.aborted) return { outcome: 'no-such-process', detail: 'replaced' }
    if (told.id !== id) told = { id, keys: new Set() }
    if ('outcome' in choice) return { ...choice, soon: choice.outcome === 'no-such-process' }

    const left = choice.processes.filter((process) => !told.keys.has(key(process)))
    if (left.length === 0)
      return { outcome: 'delivered', detail: `${choice.processes.map(called).join(', ')} got ${target.name}` }
    const { settled = [], young = [] } = Object.groupBy(left, (process) => isSettled(proc, process, target.name) ? 'settled' : 'young') // prettier-ignore
    if (settled.length > 0) {
      const { processes, ...sent } = sendSignal(proc, settled, target.name, kill)
      for (const process of processes) told.keys.add(key(process))
      if (sent.outcome !== 'delivered' || young.length === 0)
        return { ...sent, soon: sent.outcome === 'no-such-process' }
    }
    return { outcome: 'no-such-process', detail: `${young.map(called).join(', ')} has only just started`, soon: true }
  }
}
