import { remedyOf } from './failures.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Pod } from './objects.ts'
import type { Read, Reader } from './reader.ts'

const { warn, fail } = findingsOf('sidecar')

/** Limits of what is read: the newest lines. */
const mostLines = 1000
const mostBytes = 1024 * 1024
/** Limit of the findings that are compared with each other. */
const mostFindings = 100
/** A poll that succeeds is not logged, so an older failure says nothing. */
const pollCountsMs = 30 * 60_000

/** The fields of the sidecar's log that are judged. The author of a pod can make up its log. */
const names = ['event', 'level', 'time', 'msg', 'vault', 'type', 'name', 'path', 'state', 'outcome', 'channel'] as const
export type LogLine = Partial<Record<(typeof names)[number], unknown>>

/** Reads the log of a pod's sidecar. */
export function readLog(reader: Reader, { metadata }: Pod, container: string): Promise<Read<LogLine[]>> {
  const { namespace = '', name } = metadata
  const pod = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`
  const query = `container=${encodeURIComponent(container)}&tailLines=${mostLines}&limitBytes=${mostBytes}`
  return reader.lines<LogLine>(`${pod}/log?${query}`, Object.fromEntries(names.map((one) => [one, true as const])))
}

/**
 * Returns what the log says is wrong now: the last word about each vault, object, channel and target counts.
 * @param isReady whether the app has its first files, which stay as they are then
 * @param now milliseconds since 1970
 */
export function judgeLog(place: string, lines: readonly LogLine[], isReady: boolean, now: number): Finding[] {
  const open = new Map<string, Finding>()
  for (const line of lines) {
    const { event, level } = line
    const said = textOf(line.msg)
    const isWrong = level === 'warn' || level === 'error'
    const severity = isReady ? warn : fail
    const about = `${place}, ${textOf(line.vault) === '' ? 'sidecar' : `vault ${textOf(line.vault)}`}`
    const close = (key: string): void => void open.delete(key)
    switch (event) {
      case 'poll': {
        const isRecent = now - Date.parse(textOf(line.time)) < pollCountsMs
        const text = `the poll at ${textOf(line.time)} failed: ${said}`
        if (isRecent || !isReady) open.set(`poll ${textOf(line.vault)}`, severity(about, text, remedyOf(said)))
        break
      }
      case 'object':
      case 'find':
      case 'text': {
        const key = [event, line.vault, line.type, line.name, line.path].map(textOf).join(' ')
        if (line.state === 'failing') open.set(key, severity(about, said, remedyOf(said)))
        else close(key)
        break
      }
      case 'switched':
        close('switch-failed')
        close(`poll ${textOf(line.vault)}`)
        break
      case 'switch-failed':
        open.set(event, severity(`${place}, volume`, said, 'do what troubleshooting.md#sidecar-volume says'))
        break
      case 'notification':
      case 'signal-permission': {
        const key = `${event} ${textOf(line.channel)}`
        const what = event === 'notification' ? 'the app has not been notified' : 'the app cannot be signaled'
        const text = `${what} (${textOf(line.outcome)}): ${said}`
        const remedy = `do what the message says; signals.md explains it, and troubleshooting.md#sidecar-${textOf(line.outcome)}`
        if (isWrong) open.set(key, warn(`${place}, notification`, text, remedy))
        else close(key)
        break
      }
      case 'volume-tampered':
        open.set(event, warn(`${place}, volume`, said, 'do what troubleshooting.md#sidecar-tampered says'))
        break
      case 'expiring':
        open.set(`expiring ${said}`, warn(place, said, 'renew the object in the vault'))
        break
    }
  }
  return withoutRepeats([...open.values()].slice(0, mostFindings))
}

/** A poll that fails and its objects often have the same message. */
function withoutRepeats(findings: readonly Finding[]): Finding[] {
  return findings.filter(
    ({ text }, index) =>
      !findings.some((other, at) => at !== index && other.text.length > text.length && other.text.endsWith(text)),
  )
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 2000) : '')
