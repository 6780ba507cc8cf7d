import type { Clock, Random } from '../../shared/clock.ts'
import type { Logger } from '../../shared/log.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import type { TurnSettings } from '../../shared/settings/schema.ts'
import type { CreateTurns } from '../poll/turns.ts'
import type { Volume } from '../volume/volume.ts'
import { PodTurns } from './pod-turns.ts'
import { askReadiness, timingOf } from './readiness.ts'
import { ReadinessWatch } from './readiness-watch.ts'
import { UpWatch } from './up.ts'

export interface TurnsOptions {
  settings: TurnSettings
  notify: Settings['notify']
  volume: Pick<Volume, 'kept' | 'keep'>
  clock: Pick<Clock, 'now' | 'elapsed'>
  random: Random
  log: Pick<Logger, 'info' | 'warn'>
  ask?: typeof askReadiness
}

/** Returns what lets a pod switch when it is its turn. */
export const createTurns =
  ({ settings, notify, volume, clock, random, log, ask = askReadiness }: TurnsOptions): CreateTurns =>
  (host) => {
    const { readiness, minReady, timeout } = settings
    const watch =
      readiness && new ReadinessWatch({ ask: () => ask(readiness), period: timingOf(readiness).period, clock })
    const { notifier, watchClosely } = host
    const up = new UpWatch({
      notifier,
      watchClosely,
      signal: notify.signal,
      readiness: watch,
      minReady,
      timeout,
      clock,
    })
    return new PodTurns({ settings, notify, volume, up, clock, random, log }, host)
  }
