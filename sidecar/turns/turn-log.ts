import type { Clock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/log.ts'
import type { TurnStatus } from '../poll/turns.ts'

/** Another reason for the same state is logged no sooner than this after the last line, in milliseconds. */
const spacingMs = 60_000

const sentences = {
  none: 'no set of files waits for its turn',
  waiting: 'a new set of files waits for the turn of this pod',
  taken: 'took the turn of this pod',
  switched: 'this pod has its turn: it switched to the new set of files',
  failed: 'the app did not come up after the switch',
  halted: 'a new set of files is not switched in: another pod did not come up with it',
} as const

/** Returns a function that logs changes of a pod's part in turns. */
export function turnLog(
  log: Pick<Logger, 'info' | 'warn'>,
  clock: Pick<Clock, 'elapsed'>,
): (status: TurnStatus, objects?: string) => void {
  let last: { state: TurnStatus['state']; reason: string | undefined; at: number } = {
    ...{ state: 'none', reason: undefined },
    at: -Infinity,
  }
  return ({ state, reason, place }, objects) => {
    const at = clock.elapsed()
    const isDue = state !== last.state || (reason !== last.reason && at - last.at >= spacingMs)
    if (!isDue) return
    last = { state, reason, at }
    const isBad = state === 'failed' || state === 'halted'
    const text = `${sentences[state]}${reason === undefined ? '' : `: ${reason}`}`
    log[isBad ? 'warn' : 'info']({ event: 'turn', state, place, objects }, text)
  }
}
