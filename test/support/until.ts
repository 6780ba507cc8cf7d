import { setTimeout as sleep } from 'node:timers/promises'

/** How long to wait for a condition, and how often to check it. */
export interface UntilOptions {
  timeoutMs?: number
  /** The pause between two checks. */
  intervalMs?: number
  /** An error that the condition throws means "not yet"; the last one becomes the cause of the time-out. */
  retryErrors?: boolean
}

/**
 * Waits in real time for what another process, a real connection or a later turn of the event loop brings about. Tests that inject a
 * clock use `VirtualClock` instead.
 *
 * @param what names the condition in the error, such as `the pod is ready`
 * @param condition is met as soon as it returns anything but undefined and false
 * @returns what the condition returned
 * @throws Error after `timeoutMs`, or whatever the condition throws unless `retryErrors` is set
 */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 60_000, intervalMs = 10, retryErrors = false }: UntilOptions = {},
): Promise<T> {
  const end = performance.now() + timeoutMs
  for (;;) {
    let cause: unknown
    try {
      const value = await condition()
      if (value !== undefined && value !== false) return value
    } catch (error) {
      if (!retryErrors) throw error
      cause = error
    }
    if (performance.now() > end) {
      const reason = cause instanceof Error ? ` (${cause.message})` : ''
      throw new Error(`timed out after ${timeoutMs / 1000} s: ${what}${reason}`, { cause })
    }
    await sleep(intervalMs)
  }
}
