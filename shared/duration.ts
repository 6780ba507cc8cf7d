import { fail, ok, type Result } from './result.ts'

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const part = /(\d+(?:\.\d+)?)(ms|s|m|h)/g
const whole = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/

/**
 * Reads a duration as Go prints one (`1h30m`, `2m`, `1.5s`, `500ms`, `0`), without signs and without units below a millisecond.
 * @returns milliseconds, rounded
 */
export function parseDuration(text: string): Result<number> {
  if (text === '0') return ok(0)
  if (!whole.test(text)) return fail('expected a duration such as 30s, 2m or 1h30m')
  let sum = 0
  for (const [, count, unit] of text.matchAll(part)) sum += Number(count) * units[unit as keyof typeof units]
  if (!Number.isSafeInteger(Math.round(sum))) return fail('this duration is too long')
  return ok(Math.round(sum))
}

/** Prints milliseconds as {@link parseDuration} reads them: `90000` is `1m30s`. */
export function formatDuration(milliseconds: number): string {
  let rest = Math.round(milliseconds)
  if (rest === 0) return '0s'
  let text = ''
  for (const unit of ['h', 'm', 's', 'ms'] as const) {
    const count = Math.floor(rest / units[unit])
    if (count > 0) text += `${count}${unit}`
    rest -= count * units[unit]
  }
  return text
}
