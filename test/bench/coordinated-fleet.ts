import type { Settings } from '../../shared/settings/codec.ts'
import { FleetClock } from './fleet-clock.ts'
import { FleetCoordinator } from './fleet-coordinator.ts'
import { startFleet, type FleetPod } from './fleet-pods.ts'
import { FleetVault, limit } from './fleet-vault.ts'

const second = 1_000
const minute = 60 * second
const lookStepMs = 10
/** How often conditions of the whole fleet are checked. */
const checkMs = 5 * second

export interface CoordinatedFleetOptions {
  pods: number
  secrets: number
  /** Absent for a fleet that only polls. */
  watchInterval?: number
  /** Less often than in a real sidecar, so that a fleet takes less time; no figure depends on it. */
  heartbeatMs?: number
  settings?: Partial<Settings>
}

/** Pods of one vault, and the coordinator that watches it, in virtual time. Times are in milliseconds since the start. */
export class CoordinatedFleet {
  readonly clock = new FleetClock(Date.UTC(2026, 0, 1))
  readonly vault: FleetVault
  readonly coordinator: FleetCoordinator
  readonly pods: FleetPod[]

  constructor({ pods, secrets, watchInterval, heartbeatMs = 10 * second, settings = {} }: CoordinatedFleetOptions) {
    const { clock } = this
    this.vault = new FleetVault({ clock, secrets, mayList: true })
    this.coordinator = new FleetCoordinator({ clock, vault: this.vault, watchInterval: watchInterval ?? Infinity })
    this.pods = startFleet({
      ...{ pods, secrets, heartbeatMs, settings, vault: this.vault, clock },
      ...(watchInterval !== undefined && { coordinator: this.coordinator }),
    })
  }

  /** A fleet whose pods are all covered. */
  static async covered(options: CoordinatedFleetOptions): Promise<CoordinatedFleet> {
    const fleet = new CoordinatedFleet(options)
    fleet.coordinator.start()
    await fleet.until('all are covered', () => fleet.covered() === options.pods, 10 * minute)
    return fleet
  }

  get now(): number {
    return this.clock.elapsed()
  }

  /** Requests of pods so far, without those of the coordinator. */
  get podRequests(): number {
    return this.vault.requests - this.vault.watching
  }

  pass = (milliseconds: number): Promise<void> => this.clock.runUntil(this.now + milliseconds)

  /** Lets time pass until a condition holds. @throws if it does not within the time */
  async until(what: string, condition: () => boolean, longestMs: number): Promise<void> {
    const end = this.now + longestMs
    while (!condition()) {
      if (this.now >= end) throw new Error(`not within ${longestMs / second} s: ${what}`)
      await this.pass(checkMs)
    }
  }

  /** Lets time pass until the coordinator looks at the vault. */
  async nextLook(): Promise<void> {
    const { watching } = this.vault
    while (this.vault.watching === watching) await this.pass(lookStepMs)
  }

  /** How many pods are covered. */
  covered = (): number => this.pods.filter((pod) => pod.isCovered()).length

  /** How many pods have the newest value of a secret. */
  current = (name: string): number => this.pods.filter((pod) => pod.file(name) === this.vault.value(name)).length

  /**
   * Writes a secret, and returns how long each app took to be notified, in ascending order.
   * @throws if one was not within the time
   */
  async rotate(name: string, longestMs: number): Promise<number[]> {
    const from = this.now
    this.coordinator.hintedAt = undefined
    this.vault.rotate([name])
    await this.until(`all have ${name}`, () => this.current(name) === this.pods.length, longestMs)
    return this.pods.map(({ notifiedAt = Infinity }) => notifiedAt - from).sort((one, other) => one - other)
  }

  /** The requests in each 10 s of a period. */
  windows(from: number, to: number): number[] {
    const width = limit.window / second
    const counts = this.#between(from, to)
    return Array.from({ length: Math.floor(counts.length / width) }, (_, index) =>
      sum(counts.slice(index * width, (index + 1) * width)),
    )
  }

  /** The most requests in 10 s of a period, of windows that begin with each second. */
  highestWindow(from: number, to: number): number {
    const counts = this.#between(from, to)
    const width = limit.window / second
    const windows = counts.slice(width - 1).map((_, index) => sum(counts.slice(index, index + width)))
    return Math.max(...windows)
  }

  /** The mean of requests in 10 s of a period. */
  meanWindow(from: number, to: number): number {
    return (sum(this.#between(from, to)) * limit.window) / (to - from)
  }

  #between(from: number, to: number): number[] {
    const first = Math.ceil(from / second)
    return Array.from(
      { length: Math.floor(to / second) - first },
      (_, index) => this.vault.perSecond[first + index] ?? 0,
    )
  }
}

/** @param part from 0 to 1 @param sorted in ascending order */
export const percentile = (sorted: readonly number[], part: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? NaN

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
