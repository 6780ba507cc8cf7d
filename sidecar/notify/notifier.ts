import type { Logger } from '../../shared/log.ts'
import type { SignalTarget } from '../../shared/settings.ts'
import type { Notification, NotificationOutcome } from './notification.ts'

export type Channel = 'signal' | 'http'

/** What became of telling the app over one channel. */
export interface OutcomeReport {
  channel: Channel
  outcome: NotificationOutcome
  /** A sentence for a person: which process, which URL, what to do. */
  detail: string
  /** The notification's. */
  id: string
  /** How many attempts at this notification there were, this one included. */
  attempts: number
  /** Milliseconds since 1970. */
  at: number
}

/** Whether the signal could be sent, found out with signal 0 long before there is one to send. */
export interface PermissionReport {
  outcome: 'permitted' | Exclude<NotificationOutcome, 'delivered' | 'http-error'>
  detail: string
  at: number
}

/** The process that the signal goes to, or one of several (`signal-process`). */
export interface TargetProcess {
  container: string
  pid: number
  name: string
  /** Its real user id, where it can be read. */
  uid?: number
  /** When it started, milliseconds since 1970, where it can be told. */
  since?: number
}

/** A snapshot for `/status`. */
export interface NotifierStatus {
  pending?: { id: string; switchedAt: number; dueAt: number; waitingFor: Channel[] }
  channels: Partial<Record<Channel, OutcomeReport>>
  targets: TargetProcess[]
  permission?: PermissionReport
}

export interface NotifierOptions {
  signal?: SignalTarget
  url?: string
  /** No notification waits longer than this for its `dueAt`, whatever the clock was set to meanwhile. Milliseconds, default 0. */
  splay?: number
  /** Where procfs is; default `/proc`. */
  proc?: string
  /** Default `process.kill`. */
  kill?: (pid: number, signal: string | 0) => void
  now?: () => number
  random?: () => number
  /** Starts a timer and returns what cancels it; default `setTimeout`. */
  setTimer?: (run: () => void, milliseconds: number) => () => void
  /** Every configured channel has delivered it: clear the mark in the volume, if it still has this id. */
  onDelivered: (id: string) => void | Promise<void>
  /** Every delivery, and every failure that differs from the one before: for metrics. The notifier logs it itself. */
  onOutcome?: (report: OutcomeReport) => void
  /** Every change of the permission, and every new target. */
  onPermission?: (report: PermissionReport) => void
  log: Pick<Logger, 'info' | 'warn' | 'error'>
}

export interface Notifier {
  /**
   * Tells the app, when it is due and for as long as it takes. Replaces what is undelivered (mergeNotifications): give it
   * the mark found in the volume at start, and each new mark once its switch is done.
   */
  notify(notification: Notification): void
  status(): NotifierStatus
  /** Stops timers and requests; what is undelivered stays marked in the volume. */
  close(): void
}

/**
 * Tells the app of changes, by a signal, by HTTP, or both: each on its own, retried until delivered, never given up.
 * With a signal it looks for the target from the start and tries the permission, so that a wrong user id shows at once.
 * With neither, every notification is delivered at once.
 */
export function createNotifier(_options: NotifierOptions): Notifier {
  throw new Error('in the making')
}
