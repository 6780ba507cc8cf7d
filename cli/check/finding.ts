import { documentationUrl } from '../../shared/names.ts'
import { printable } from '../../shared/printable.ts'
import type { CheckName } from './checks.ts'

export type Status = 'OK' | 'WARN' | 'FAIL'

/** What a check found out about one object. */
export interface Finding {
  status: Status
  check: CheckName
  /** The object, such as `Deployment akv-injector-system/akv-injector`. */
  place: string
  text: string
  /** What to do; absent if the status is OK. */
  remedy?: string
  /** The section of the documentation; absent if the status is OK. */
  help?: string
}

/** Limit of the characters of a text, of which tenants may have written a part. */
const longest = 1000

/** The section of the documentation about a check, relative to the folder docs until that is published. */
export const helpOf = (check: CheckName): string => `${documentationUrl}troubleshooting.md#check-${check}`

/** Creates the findings of one check. */
export const findingsOf = (check: CheckName) => {
  const wrong =
    (status: Status) =>
    (place: string, text: string, remedy: string): Finding => ({
      ...{ status, check, place: safe(place), text: safe(text), remedy: safe(remedy), help: helpOf(check) },
    })
  return {
    ok: (place: string, text: string): Finding => ({ status: 'OK', check, place: safe(place), text: safe(text) }),
    /** Nothing is broken yet, or it could not be checked. */
    warn: wrong('WARN'),
    fail: wrong('FAIL'),
    /** A warning that an object could not be read. */
    unread: (place: string, reason: string): Finding =>
      wrong('WARN')(place, `cannot be checked: ${reason}`, 'run the command as someone who may do this'),
  }
}

/** Returns a text without characters that a terminal interprets, on one line and not longer than the limit. */
function safe(text: string): string {
  const escaped = printable(text.trim().replaceAll(/\s*\n\s*/g, '; '))
  return escaped.length <= longest ? escaped : `${escaped.slice(0, longest - 3)}...`
}

/** Returns a finding as lines of text. */
export function textOf({ status, check, place, text, remedy, help }: Finding): string {
  const indent = ' '.repeat(6)
  const lines = [`${status.padEnd(4)}  ${check}: ${place}: ${text}`]
  if (remedy !== undefined) lines.push(`${indent}fix: ${remedy}`)
  if (help !== undefined) lines.push(`${indent}see: ${help}`)
  return `${lines.join('\n')}\n`
}
