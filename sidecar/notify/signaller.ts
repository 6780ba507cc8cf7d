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
  choose: () => Choice
}

const key = ({ pid, start }: Process): string => `${pid}:${start}`

/**
 * One try to signal the target. Of several processes, those that got this notification's signal do not get it again when
 * it is tried once more for the others.
 */
export function createSignaller({
  target,
  proc,
  kill,
  choose,
}: SignallerOptions): (notification: Notification) => Attempt {
  let told = { id: '', keys: new Set<string>() }
  return ({ id }) => {
    if (told.id !== id) told = { id, keys: new Set() }
    const choice = choose()
    if ('outcome' in choice) return { ...choice, soon: choice.outcome === 'no-such-process' }
    const young = choice.processes.find((process) => !isSettled(proc, process, target.name))
    if (young !== undefined)
      return { outcome: 'no-such-process', detail: `${called(young)} has only just started`, soon: true }

    const left = choice.processes.filter((process) => !told.keys.has(key(process)))
    if (left.length === 0)
      return { outcome: 'delivered', detail: `${choice.processes.map(called).join(', ')} got ${target.name}` }
    const { processes, ...sent } = sendSignal(proc, left, target.name, kill)
    for (const process of processes) told.keys.add(key(process))
    return { ...sent, soon: sent.outcome === 'no-such-process' }
  }
}
