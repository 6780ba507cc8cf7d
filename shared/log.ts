import { writeSync } from 'node:fs'
import { printable } from './printable.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

/** Writes one line: its fields, and a sentence. */
type Write = (fields: object, message: string) => void

/** Receives lines; each ends with a line feed. */
export interface Destination {
  write(line: string): unknown
}

export interface Logger extends Readonly<Record<LogLevel, Write>> {
  /** Lines of lower levels are not written. */
  level: LogLevel
}

/** JSON lines with ISO times, on stdout, written synchronously so that the last line before an exit is not lost. */
export function createLogger(level: LogLevel, destination: Destination = stdout): Logger {
  const writer =
    (own: LogLevel): Write =>
    (fields, msg) => {
      if (logLevels.indexOf(own) < logLevels.indexOf(logger.level)) return
      const line = { level: own, time: new Date().toISOString(), ...readable(fields), msg }
      // JSON leaves C1 controls as they are, which a terminal that shows the log obeys.
      destination.write(`${printable(JSON.stringify(line))}\n`)
    }
  const writers = Object.fromEntries(logLevels.map((own) => [own, writer(own)])) as Record<LogLevel, Write>
  const logger: Logger = { level, ...writers }
  return logger
}

/** JSON.stringify omits an Error's properties. Not a replacer, which it would call for each key of each line. */
function readable(fields: object): object {
  const entries = Object.entries(fields) as [string, unknown][]
  if (!entries.some(([, value]) => value instanceof Error)) return fields
  return Object.fromEntries(entries.map(([key, value]) => [key, value instanceof Error ? readableError(value) : value]))
}

const readableError = ({ name, message, stack }: Error) => ({ type: name, message, stack })

const stdout: Destination = {
  write(line) {
    let rest: Uint8Array = Buffer.from(line)
    while (rest.length > 0) rest = rest.subarray(writeSome(rest))
  },
}

/**
 * Returns how many bytes count as written: 0, after a short pause, if the pipe is full; all of them if the reader is gone,
 * because a lost log line must not stop the program.
 */
function writeSome(bytes: Uint8Array): number {
  try {
    return writeSync(1, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return bytes.length
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    return 0
  }
}
