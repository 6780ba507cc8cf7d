import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'

/** One row of bench/results.json. */
export interface Result {
  id: string
  /** The median of the runs. */
  value: number
  unit: string
  min: number
  max: number
  /** The same figure of the floor or peer in the same run. */
  floor: number | null
  /** `value` divided by `floor`. */
  ratio: number | null
  target: string | null
  met: boolean | null
}

export interface Report {
  /** ISO 8601 */
  date: string
  machine: Machine
  results: Result[]
}

/** The machine of the measurement. */
export interface Machine {
  cpu: string
  cpus: number
  memory: string
  system: string
  node: string
  /**
   * Average number of processes that ran or waited to run in the minute before: above 0, others affected the figures.
   */
  load: number
}

/** Limits of the value, in its unit, of its distance from the floor, and of its ratio to the floor. */
export interface Target {
  atMost?: number
  atLeast?: number
  aboveFloorAtMost?: number
  ratioAtMost?: number
  ratioAtLeast?: number
}

export interface Measured {
  id: string
  unit: string
  /** One number for each run. */
  samples: number[]
  floor?: number[]
  target?: Target
}

export function toResult({ id, unit, samples, floor, target }: Measured): Result {
  const value = median(samples)
  const base = floor === undefined ? null : median(floor)
  const ratio = base === null ? null : value / base
  return {
    id,
    value: round(value),
    unit,
    min: round(Math.min(...samples)),
    max: round(Math.max(...samples)),
    floor: base === null ? null : round(base),
    ratio: ratio === null ? null : round(ratio),
    target: target === undefined ? null : describe(target, unit),
    met: target === undefined ? null : isMet(target, value, base),
  }
}

export function median(samples: number[]): number {
  if (samples.length === 0) throw new Error('there is no run to take the median of')
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

/** Rounds to four significant digits; more would be noise. */
const round = (value: number) => Number(value.toPrecision(4))

const describe = ({ atMost, atLeast, aboveFloorAtMost, ratioAtMost, ratioAtLeast }: Target, unit: string): string =>
  [
    atMost !== undefined && `<= ${atMost} ${unit}`,
    atLeast !== undefined && `>= ${atLeast} ${unit}`,
    aboveFloorAtMost !== undefined && `<= floor + ${aboveFloorAtMost} ${unit}`,
    ratioAtMost !== undefined && `<= ${ratioAtMost}x floor`,
    ratioAtLeast !== undefined && `>= ${ratioAtLeast}x floor`,
  ]
    .filter((part) => part !== false)
    .join(', ')

function isMet(target: Target, value: number, floor: number | null): boolean {
  const { atMost, atLeast, aboveFloorAtMost, ratioAtMost, ratioAtLeast } = target
  const base = floor ?? NaN
  const ofFloor = value / base
  return (
    (atMost === undefined || value <= atMost) &&
    (atLeast === undefined || value >= atLeast) &&
    (aboveFloorAtMost === undefined || value - base <= aboveFloorAtMost) &&
    (ratioAtMost === undefined || ofFloor <= ratioAtMost) &&
    (ratioAtLeast === undefined || ofFloor >= ratioAtLeast)
  )
}

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cpus: cpus().length,
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  system: `${platform()} ${release()} ${arch()}`,
  node: process.version,
  load: round(loadavg()[0] ?? NaN),
})
