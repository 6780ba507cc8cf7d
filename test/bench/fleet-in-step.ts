import type { FleetClock } from './fleet-clock.ts'
import type { FleetVault } from './fleet-vault.ts'

/**
 * What is compared with: pods that all ask for every object of theirs, one GET each, at every tick of the interval. In favour of
 * that way, what was throttled is not asked again before the next tick.
 */
export async function pollInStep(
  { pods, secrets, interval, until }: { pods: number; secrets: number; interval: number; until: number },
  vault: FleetVault,
  clock: FleetClock,
): Promise<void> {
  for (let at = 0; at < until; at += interval) {
    await clock.runUntil(at)
    for (let request = 0; request < pods * secrets; request++)
      void vault.get('secret', `secret-${request % secrets}`).catch(() => undefined)
  }
  await clock.runUntil(until)
}
