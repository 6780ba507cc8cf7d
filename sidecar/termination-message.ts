import { troubleshootingLink } from '../shared/names.ts'
import { printableLines } from '../shared/printable.ts'
import { longestMessage } from '../shared/termination-limit.ts'
import { anchorOf, type SidecarOutcome } from './outcome-anchors.ts'

/** Why a program ends, before it is a text of limited length. */
export interface Explanation {
  lines: readonly string[]
  outcome: SidecarOutcome
}

/**
 * Returns for how many containers a message leaves space, which the webhook writes only if they are many; undefined for the text of an author
 * who wrote anything else.
 */
export const containersIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : undefined

/**
 * Joins lines with unprintable characters escaped, and ends with the link to the outcome's section of the documentation. Lines that
 * exceed what the kubelet keeps are left out, the last ones first; the link never is, unless it alone exceeds that.
 * @param most in bytes
 */
export function terminationMessage({ lines, outcome }: Explanation, most = longestMessage()): string {
  const link = troubleshootingLink(anchorOf(outcome))
  const printable = lines.map(printableLines)
  const space = most - Buffer.byteLength(link) - 1
  // The first part of a link leads nowhere.
  return space < 0 ? bounded(printable, most) : `${bounded(printable, space)} ${link}`.trimStart()
}

function bounded(lines: readonly string[], most: number): string {
  const rest = (count: number) => `... and ${count} more; see the log`
  let text = ''
  for (const [index, line] of lines.entries()) {
    const next = text === '' ? line : `${text}\n${line}`
    const tail = index < lines.length - 1 ? `\n${rest(lines.length - index - 1)}` : ''
    if (Buffer.byteLength(next + tail) > most) {
      return text === '' ? cut(line, most) : `${text}\n${rest(lines.length - index)}`
    }
    text = next
  }
  return text
}

const cut = (line: string, most: number): string =>
  new TextDecoder().decode(Buffer.from(line).subarray(0, Math.max(0, most - 3))).replace(/\ufffd$/, '')
