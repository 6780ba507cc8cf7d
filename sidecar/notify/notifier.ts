import type { Logger } from '../../shared/log.ts'
import type { SignalTarget } from '../../shared/settings.ts'
import { startTimer } from '../../shared/timer.ts'
import { type Attempt, type Channel, type ChannelOptions, createChannel, type Timing } from './channel.ts'
import { postNotification } from './http.ts'
import { mergeNotifications, type Notification, type NotificationOutcome } from './notification.ts'
import { openProc } from './processes.ts'
import type { Kill } from './signal.ts'
import { createSignaller } from './signaller.ts'
import { createWatch, type PermissionReport, type TargetProcess, type Watch } from './watch.ts'

export type { PermissionReport, TargetProcess } from './watch.ts'

export type ChannelName = 'signal' | 'http'

/** What became of telling the app over one channel. */
export interface OutcomeReport {
  channel: ChannelName
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

/** A snapshot for `/status`. */
export interface NotifierStatus {
  /** What the app is still to be told, and by what. */
  pending?: Notification & { waitingFor: ChannelName[] }
  /** The last report of each channel. */
  channels: Partial<Record<ChannelName, OutcomeReport>>
  targets: TargetProcess[]
  permission?: PermissionReport
}

export interface NotifierOptions extends Partial<Timing> {
  signal?: SignalTarget | undefined
  url?: string | undefined
  /** No notification waits longer than this for its `dueAt`, whatever the clock was set to since. Milliseconds. */
  splay: number
  /** Where procfs is; default `/proc`. */
  proc?: string
  /** Default `process.kill`. */
  kill?: Kill
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
 * With neither, every notification is delivered when it is due.
 */
export function createNotifier(options: NotifierOptions): Notifier {
  const { splay, onDelivered, onOutcome, log, now = Date.now } = options
  const last: NotifierStatus['channels'] = {}
  const waitingFor = new Set<ChannelName>()
  let pending: Notification | undefined
  let cancelStart = (): void => {}

  function report(channel: ChannelName, { outcome, detail }: Attempt, { id }: Notification, attempts: number): void {
    const before = last[channel]
    const after = (last[channel] = { channel, outcome, detail, id, attempts, at: now() })
    const isNews = outcome !== before?.outcome || detail !== before.detail || id !== before.id
    if (isNews) {
      log[outcome === 'delivered' ? 'info' : 'warn']({ event: 'notification', channel, outcome, id, attempts }, detail)
      onOutcome?.(after)
    }
    if (outcome === 'delivered') settle(id, channel)
  }

  function settle(id: string, channel?: ChannelName): void {
    if (channel !== undefined) waitingFor.delete(channel)
    if (waitingFor.size > 0) return
    pending = undefined
    void clearMark(id)
  }

  /** A mark that stays means that the app is told once more after a restart, no worse. */
  async function clearMark(id: string): Promise<void> {
    try {
      await onDelivered(id)
    } catch (err) {
      log.error(
        { event: 'notification', id, err },
        'the app was told, but the mark that it is to be told was not cleared',
      )
    }
  }

  const { channels, watch } = openChannels(options, report)
  const { setTimer } = timingOf(options)

  function stop(): void {
    cancelStart()
    for (const channel of channels.values()) channel.stop()
  }

  return {
    notify(notification) {
      stop()
      const due = (pending = mergeNotifications(pending, notification))
      for (const name of channels.keys()) waitingFor.add(name)
      cancelStart = setTimer(
        () => {
          for (const channel of channels.values()) channel.start(due)
          if (channels.size === 0) settle(due.id)
        },
        Math.min(Math.max(due.dueAt - now(), 0), splay),
      )
    },
    status() {
      const permission = watch?.permission()
      return {
        ...(pending !== undefined && { pending: { ...pending, waitingFor: [...waitingFor] } }),
        channels: { ...last },
        targets: watch?.targets() ?? [],
        ...(permission !== undefined && { permission }),
      }
    },
    close() {
      stop()
      watch?.stop()
    },
  }
}

type Report = (channel: ChannelName, attempt: Attempt, notification: Notification, attempts: number) => void

/** The configured channels, and the watch over the signal's target. */
function openChannels(
  options: NotifierOptions,
  report: Report,
): { channels: Map<ChannelName, Channel>; watch?: Watch } {
  const { signal: target, url } = options
  const timing = timingOf(options)
  const channels = new Map<ChannelName, Channel>()
  const open = (name: ChannelName, failure: NotificationOutcome, attempt: ChannelOptions['attempt']): Channel => {
    const channel = createChannel({
      ...timing,
      failure,
      attempt,
      onAttempt: (...attempted) => report(name, ...attempted),
    })
    channels.set(name, channel)
    return channel
  }
  if (url !== undefined)
    open('http', 'http-error', (notification, signal) => postNotification(url, notification, { signal }))
  if (target === undefined) return { channels }

  const proc = openProc(options.proc)
  const kill = options.kill ?? ((pid, signal) => void process.kill(pid, signal))
  const watch = createWatch({ ...timing, target, proc, kill, onPermission })
  const channel = open('signal', 'not-identifiable', createSignaller({ target, proc, kill, choose: watch.choose }))
  return { channels, watch }

  function onPermission(permission: PermissionReport, isWell: boolean): void {
    const { outcome, detail } = permission
    options.log[isWell ? 'info' : 'warn']({ event: 'signal-permission', outcome }, detail)
    options.onPermission?.(permission)
    if (outcome === 'permitted') channel.hurry()
  }
}

function timingOf({ now = Date.now, random = Math.random, setTimer = startTimer }: Partial<Timing>): Timing {
  return { now, random, setTimer }
}
