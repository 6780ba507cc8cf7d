import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import type { LiveName } from '../../shared/annotations/table.ts'
import { formatDuration, parseDuration } from '../../shared/duration.ts'
import { logLevels, type LogLevel } from '../../shared/log.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import { quote } from '../../shared/messages.ts'

/** The live annotations, each a file of the downward API volume. The compiler compares them to the annotation table, which is too large to load. */
export const liveNames = Object.keys({
  'poll-interval': true,
  'log-level': true,
  refresh: true,
  suspend: true,
} satisfies Record<LiveName, true>) as LiveName[]
export type LiveTexts = Readonly<Record<LiveName, string>>

/** The values of the live annotations that are in force. */
export interface LiveValues {
  /** Any text: a change of it requests a poll. */
  refresh: string
  suspend: boolean
  /** Milliseconds, within the administrator's bounds. */
  pollInterval: number
  logLevel: LogLevel
}

type Defaults = Pick<Settings, 'pollInterval' | 'logLevel' | 'bounds'>

export const initialValues = ({ pollInterval, logLevel }: Defaults): LiveValues => ({
  refresh: '',
  suspend: false,
  pollInterval,
  logLevel,
})

/** Reads the annotations' texts; an invalid one keeps its last valid value and adds a sentence for the log. */
export function interpretLive(
  texts: LiveTexts,
  last: LiveValues,
  defaults: Defaults,
): { values: LiveValues; problems: string[] } {
  const values = { ...last, refresh: texts.refresh }
  const problems: string[] = []
  const suspend = texts.suspend.trim()
  if (['', 'true', 'false'].includes(suspend)) values.suspend = suspend === 'true'
  else problems.push(`suspend: expected true or false, not ${quote(suspend)}; it stays ${last.suspend}`)

  const level = texts['log-level'].trim()
  if (level === '') values.logLevel = defaults.logLevel
  else if (isLogLevel(level)) values.logLevel = level
  else
    problems.push(`log-level: expected one of ${logLevels.join(', ')}, not ${quote(level)}; it stays ${last.logLevel}`)

  const interval = intervalOf(texts['poll-interval'].trim(), defaults)
  if (interval.value !== undefined) values.pollInterval = interval.value
  if (interval.problem) problems.push(`poll-interval: ${interval.problem(formatDuration(values.pollInterval))}`)
  return { values, problems }
}

const isLogLevel = (text: string): text is LogLevel => (logLevels as readonly string[]).includes(text)

function intervalOf(
  text: string,
  { pollInterval, bounds: { pollInterval: bounds } }: Defaults,
): { value?: number; problem?: (inForce: string) => string } {
  if (text === '') return { value: pollInterval }
  const parsed = parseDuration(text)
  if (!parsed.ok) {
    return { problem: (inForce) => `${quote(text)}: ${parsed.problems.join(', ')}; it stays ${inForce}` }
  }
  const value = Math.min(bounds.max, Math.max(bounds.min, parsed.value))
  if (value === parsed.value) return { value }
  return {
    value,
    problem: (inForce) => `${text} is outside the administrator's bounds; ${inForce} is used`,
  }
}

/** Reads the files of the downward API volume, cheaply enough to do so once a second. */
export class LiveFiles {
  readonly #folder: string
  readonly #seen = new Map<string, { stamp: string; text: string }>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** A file's text without the final line break; empty if there is no such file. Reads it only if it was replaced. */
  text(name: string): string {
    const path = join(this.#folder, name)
    try {
      const stats = statSync(path, { throwIfNoEntry: false })
      if (!stats) return ''
      const stamp = `${stats.dev} ${stats.ino} ${stats.mtimeMs} ${stats.size}`
      const seen = this.#seen.get(name)
      if (seen?.stamp === stamp) return seen.text
      const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
      this.#seen.set(name, { stamp, text })
      return text
    } catch {
      // Between two steps of the kubelet's swap, or in a broken volume: the text read last remains in force.
      return this.#seen.get(name)?.text ?? ''
    }
  }

  texts(): LiveTexts {
    return Object.fromEntries(liveNames.map((name) => [name, this.text(name)])) as Record<LiveName, string>
  }
}
