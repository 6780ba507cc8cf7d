import type { Notification, NotificationOutcome } from './notification.ts'

/** What one try came to. */
export interface Attempt {
  outcome: NotificationOutcome
  /** A sentence for a person; the same for the same state of things, so that a repeated failure is told once. */
  detail: string
  /** Whether it may well work in a moment, as when a container restarts. */
  soon?: boolean
}

export interface Timing {
  /** Milliseconds since 1970. */
  now: () => number
  random: () => number
  /** Starts a timer and returns what cancels it. */
  setTimer: (run: () => void, milliseconds: number) => () => void
}

export interface ChannelOptions extends Timing {
  attempt: (notification: Notification, signal: AbortSignal) => Attempt | Promise<Attempt>
  /** What an attempt counts as that throws. */
  failure: NotificationOutcome
  onAttempt: (attempt: Attempt, notification: Notification, attempts: number) => void
}

/** One way to tell the app, which tries one notification until it is delivered or replaced. */
export interface Channel {
  start(notification: Notification): void
  /** Tries now instead of later, where a retry waits. */
  hurry(): void
  stop(): void
}

/** Before the next try, in milliseconds: doubling from 1/4 s to 30 s, or to 1 s where success may be near; up to a quarter less. */
export function retryDelay(attempts: number, soon: boolean, random: () => number): number {
  const most = soon ? 1_000 : 30_000
  return Math.min(most, 250 * 2 ** Math.min(attempts - 1, 20)) * (1 - random() / 4)
}

export function createChannel({ attempt, failure, onAttempt, random, setTimer }: ChannelOptions): Channel {
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
    else waiting = setTimer(() => void tryOnce(), retryDelay(mine.attempts, result.soon ?? false, random))
    onAttempt(result, mine.notification, mine.attempts)
  }

  async function outcomeOf(notification: Notification, signal: AbortSignal): Promise<Attempt> {
    try {
      return await attempt(notification, signal)
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
