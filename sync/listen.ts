import { readFile } from 'node:fs/promises'
import type { Clock } from '../shared/clock.ts'
import { SessionLoop, type CoordinatorAccess } from '../shared/coordination/session-loop.ts'
import type { Logger } from '../shared/log.ts'
import type { Controller } from './controller.ts'

export interface ListenOptions {
  controller: Pick<Controller, 'served' | 'hint'>
  coordinator: CoordinatorAccess
  /** The token that the coordinator accepts from this program's pod. */
  tokenFile: string
  clock: Clock
  abort: AbortSignal
  log: Logger
}

const checkMs = 1_000

/**
 * Listens to the coordinator until the signal aborts: it hints at classes whose objects changed. Classes are polled at their interval all
 * the same, so nothing depends on it.
 */
export function listen({ controller, coordinator, tokenFile, clock, abort, log }: ListenOptions) {
  const sessions = new SessionLoop(
    {
      ...{ access: coordinator, clock, log, random: Math.random },
      readToken: async () => (await readFile(tokenFile, 'utf8')).trim(),
    },
    {
      served: controller.served,
      reported: () => undefined,
      take(event) {
        if (event.name === 'change') controller.hint(event)
      },
      disconnected: () => undefined,
    },
  )
  async function check(): Promise<void> {
    while (!abort.aborted) {
      sessions.check()
      await clock.wait(checkMs, abort)
    }
  }
  return {
    /** To be called after each poll. */
    changed: (): void => sessions.changed(),
    /** Resolves after the abort. */
    ended: Promise.all([sessions.run(abort), check()]),
  }
}
