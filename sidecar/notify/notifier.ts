import type { Logger } from '../../shared/log.ts'
import type { SignalTarget } from '../../shared/settings/codec.ts'
import { realClock, startTimer, type Clock, type Random } from '../../shared/clock.ts'
import { type Attempt, type Channel, type ChannelOptions, createChannel } from './channel.ts'
import { postNotification } from './http-channel.ts'
import { mergeNotifications, type Notification, type NotificationOutcome } from './notification.ts'
import { createProcFolder } from './signal/procfs.ts'
import type { Kill } from './signal/send.ts'
import { createSignalAttempt } from './signal/channel.ts'
import {
  createTargetWatch,
  type PermissionReport,
  type TargetProcess,
  type TargetWatch,
} from './signal/target-watch.ts'

export type { PermissionReport, TargetProcess } from './signal/target-watch.ts'

export type ChannelName = 'signal' | 'http'

/** The outcome of notifying the app over one channel. */
export interface OutcomeReport {
  channel: ChannelName
  outcome: NotificationOutcome
  /** A sentence for a person: which process or URL, and what to do. */
  detail: string
  /** The notification's ID. */
  id: string
  /** The number of attempts at this notification, including this one. */
  attempts: number
  /** Milliseconds since 1970. */
  at: number
}

/** A snapshot for `/status`. */
export interface NotifierStatus {
  /** The notification that is not delivered yet, and the channels that have yet to deliver it. */
  pending?: Notification & { waitingFor: ChannelName[] }
  /** The last report of each channel. */
  channels: Partial<Record<ChannelName, OutcomeReport>>
  targets: TargetProcess[]
  /** Those that received the last signal; absent before there was one. */
  signaled?: TargetProcess[]
  /** The process that was found last, which may have ended. */
  latest?: TargetProcess
  permission?: PermissionReport
}

export interface NotifierOptions {
  clock?: Clock
  random?: Random
  signal?: SignalTarget | undefined
  url?: string | undefined
  /** The longest wait for a notification's `dueAt` in milliseconds, even if the clock was changed since. */
  splay: number
  /** Where procfs is; default `/proc`. */
  proc?: string
  /** Default `process.kill`. */
  kill?: Kill
  /** Called when every configured channel has delivered it: clears the pending marker in the volume if it still has this ID. */
  onDelivered: (id: string) => void | Promise<void>
  /** Called for every delivery, and every failure that differs from the previous one, for metrics. The notifier logs them itself. */
  onOutcome?: (report: OutcomeReport) => void
  /** Called for every change of the permission, and every new target. */
  onPermission?: (report: PermissionReport) => void
  log: Pick<Logger, 'info' | 'warn' | 'error'>
}

export interface Notifier {
  /**
   * Notifies the app when it is due, and retries until it is delivered. It replaces an undelivered notification
   * (mergeNotifications): pass the one found in the volume at the start, and each new one after its switch.
   */
  notify(notification: Notification): void
  status(): NotifierStatus
  /** Whether to look often for the signal's target, so that one is found that ends soon. */
  watchClosely(isClose: boolean): void
  /** Stops timers and requests; an undelivered notification stays in the volume. */
  close(): void
}

/**
 * Notifies the app of changes, by a signal, by HTTP, or both, independently and until each is delivered. With a signal, it
 * looks for the target and tests the permission from the start, so that a wrong user ID is reported at once. With neither,
 * every notification counts as delivered when it is due.
 */
export function createNotifier(options: NotifierOptions): Notifier {
  const { splay, onDelivered, onOutcome, log, clock = realClock } = options
  const last: NotifierStatus['channels'] = {}
  const waitingFor = new Set<ChannelName>()
  let pending: Notification | undefined
  let signaled: TargetProcess[] | undefined
  let cancelStart = (): void => {}

  function report(channel: ChannelName, { outcome, detail }: Attempt, { id }: Notification, attempts: number): void {
    const before = last[channel]
    const after = (last[channel] = { channel, outcome, detail, id, attempts, at: clock.now() })
    const isNews = outcome !== before?.outcome || detail !== before.detail || id !== before.id
    if (isNews) {
      log[outcome === 'delivered' ? 'info' : 'warn']({ event: 'notification', channel, outcome, id, attempts }, detail)
      onOutcome?.(after)
    }
    if (outcome !== 'delivered') return
    if (channel === 'signal') signaled = watch?.targets()
    complete(id, channel)
  }

  function complete(id: string, channel?: ChannelName): void {
    if (channel !== undefined) waitingFor.delete(channel)
    if (waitingFor.size > 0) return
    pending = undefined
    void clearMarker(id)
  }

  /** If the marker stays, the app is notified once more after a restart, which does no harm. */
  async function clearMarker(id: string): Promise<void> {
    try {
      await onDelivered(id)
    } catch (err) {
      log.error(
        { event: 'notification', id, err },
        'notified the app, but could not clear the pending marker; the app will be notified again after a restart',
      )
    }
  }

  const { channels, watch } = openChannels(options, report)

  function stop(): void {
    cancelStart()
    for (const channel of channels.values()) channel.stop()
  }

  return {
    notify(notification) {
      stop()
      const due = (pending = mergeNotifications(pending, notification))
      for (const name of channels.keys()) waitingFor.add(name)
      cancelStart = startTimer(clock, Math.min(Math.max(due.dueAt - clock.now(), 0), splay), () => {
        for (const channel of channels.values()) channel.start(due)
        if (channels.size === 0) complete(due.id)
      })
    },
    status() {
      const permission = watch?.permission()
      const latest = watch?.latest()
      return {
        ...(pending !== undefined && { pending: { ...pending, waitingFor: [...waitingFor] } }),
        channels: { ...last },
        targets: watch?.targets() ?? [],
        ...(signaled !== undefined && { signaled }),
        ...(latest !== undefined && { latest }),
        ...(permission !== undefined && { permission }),
      }
    },
    watchClosely: (isClose) => watch?.watchClosely(isClose),
    close() {
      stop()
      watch?.stop()
    },
  }
}

type Report = (channel: ChannelName, attempt: Attempt, notification: Notification, attempts: number) => void

/** The configured channels, and the watch of the signal's target. */
function openChannels(
  options: NotifierOptions,
  report: Report,
): { channels: Map<ChannelName, Channel>; watch?: TargetWatch } {
  const { signal, url, clock = realClock, random = Math.random } = options
  const channels = new Map<ChannelName, Channel>()
  const open = (name: ChannelName, failure: NotificationOutcome, attempt: ChannelOptions['attempt']): Channel => {
    const channel = createChannel({
      clock,
      random,
      failure,
      attempt,
      onAttempt: (...attempted) => report(name, ...attempted),
    })
    channels.set(name, channel)
    return channel
  }
  if (url !== undefined)
    open('http', 'http-error', (notification, abort) => postNotification(url, notification, { abort }))
  if (signal === undefined) return { channels }

  const proc = createProcFolder(options.proc)
  const kill = options.kill ?? ((pid, name) => void process.kill(pid, name))
  const watch = createTargetWatch({ clock, signal, proc, kill, onPermission })
  const channel = open('signal', 'not-identifiable', createSignalAttempt({ signal, proc, kill, choose: watch.choose }))
  return { channels, watch }

  function onPermission(permission: PermissionReport, isWell: boolean): void {
    const { outcome, detail } = permission
    options.log[isWell ? 'info' : 'warn']({ event: 'signal-permission', outcome }, detail)
    options.onPermission?.(permission)
    if (outcome === 'permitted') channel.hurry()
  }
}
