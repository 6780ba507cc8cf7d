import { startTimer, type Clock, type Random } from '../../shared/clock.ts'
import type { Notification, NotificationOutcome } from './notification.ts'

/** The result of one attempt. */
export interface Attempt {
  outcome: NotificationOutcome
  /** A sentence for a person; the same for the same situation, so that a repeated failure is logged once. */
  detail: string
  /** True if it is likely to succeed soon, for example while a container restarts. */
  soon?: boolean
}

export interface ChannelOptions {
  clock: Pick<Clock, 'wait'>
  random: Random
  attempt: (notification: Notification, abort: AbortSignal) => Attempt | Promise<Attempt>
  /** The outcome of an attempt that throws. */
  failure: NotificationOutcome
  onAttempt: (attempt: Attempt, notification: Notification, attempts: number) => void
}

/** One way to notify the app; it retries one notification until it is delivered or replaced. */
export interface Channel {
  start(notification: Notification): void
  /** Retries now if a retry is waiting. */
  hurry(): void
  stop(): void
}

/** The delay before the next attempt, in milliseconds: doubles from 1/4 s to 30 s, or to 1 s if success is likely soon; up to a quarter less. */
export function retryDelay(attempts: number, soon: boolean, random: Random): number {
  const most = soon ? 1_000 : 30_000
  return Math.min(most, 250 * 2 ** Math.min(attempts - 1, 20)) * (1 - random() / 4)
}

export function createChannel({ attempt, failure, onAttempt, clock, random }: ChannelOptions): Channel {
  let current: { notification: Notification; attempts: number; ended: AbortController } | undefined
  let waiting: (() => void) | undefined

  async function tryOnce(): Promise<void> {
    const mine = current
    if (mine === undefined) return
    waiting = undefined
    const result = await outcomeOf(mine.notification, mine.ended.signal)
    if (current !== mine) return
    mine.attempts++
    if (result.outcome === 'delivered') current = undefined
    else waiting = startTimer(clock, retryDelay(mine.attempts, result.soon ?? false, random), () => void tryOnce())
    onAttempt(result, mine.notification, mine.attempts)
  }

  async function outcomeOf(notification: Notification, abort: AbortSignal): Promise<Attempt> {
    try {
      return await attempt(notification, abort)
    } catch (error) {
      return { outcome: failure, detail: error instanceof Error ? error.message : String(error) }
    }
  }

  function stop(): void {
    waiting?.()
    waiting = undefined
    current?.ended.abort()
    current = undefined
  }

  return {
    start(notification) {
      stop()
      current = { notification, attempts: 0, ended: new AbortController() }
      void tryOnce()
    },
    hurry() {
      if (waiting === undefined) return
      waiting()
      void tryOnce()
    },
    stop,
  }
}
