import { troubleshootingLink } from '../shared/names.ts'
import { printableLines } from '../shared/printable.ts'
import { anchorOf, type SidecarOutcome } from './outcome-anchors.ts'

/**
 * The bytes of a termination message that the kubelet keeps in a pod of up to eight containers: all containers of a pod share 12 KiB, and what
 * exceeds a container's part is cut off at the end ({@link https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/}).
 */
export const longestMessage = (12 * 1024) / 8

/**
 * Joins lines with unprintable characters escaped, and ends with the link to the outcome's section of the documentation. Lines that
 * exceed what the kubelet keeps are left out, the last ones first; the link never is.
 */
export function terminationMessage(said: readonly string[], outcome: SidecarOutcome): string {
  const link = troubleshootingLink(anchorOf(outcome))
  return `${bounded(said.map(printableLines), longestMessage - Buffer.byteLength(link) - 1)} ${link}`.trimStart()
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
  new TextDecoder().decode(Buffer.from(line).subarray(0, most - 3)).replace(/\ufffd$/, '')
