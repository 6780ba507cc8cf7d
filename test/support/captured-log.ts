import { createLogger, type LogLevel } from '../../shared/log.ts'

/** A logger whose lines, as JSON texts, a test reads. */
export function capturedLog(level: LogLevel = 'trace') {
  const lines: string[] = []
  return { log: createLogger(level, { write: (line: string) => void lines.push(line) }), lines }
}
