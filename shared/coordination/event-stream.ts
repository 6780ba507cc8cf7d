import { fail, ok, type Result } from '../result.ts'
import { longestEvent } from './limits.ts'
import { createLineReader } from './lines.ts'

/** One event of a `text/event-stream` ({@link https://html.spec.whatwg.org/multipage/server-sent-events.html}). */
export interface StreamEvent {
  name: string
  data: string
}

/** Formats an event; JSON has no line feeds, so one line of data is enough. */
export const formatEvent = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

/**
 * Reads a stream of events. The returned function takes a chunk and returns the events that it completes; it fails if an event
 * has more than {@link longestEvent} bytes. Fields other than `event` and `data` are ignored.
 */
export function createEventReader(): (chunk: Uint8Array) => Result<StreamEvent[]> {
  const readLines = createLineReader(longestEvent)
  let name = ''
  let data: string[] = []
  let bytes = 0
  let isTooLarge = false

  const end = (events: StreamEvent[]): void => {
    if (data.length > 0) events.push({ name: name || 'message', data: data.join('\n') })
    name = ''
    data = []
    bytes = 0
  }
  const take = (line: string): void => {
    bytes += line.length + 1
    isTooLarge ||= bytes > longestEvent
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (field === 'event') name = value
    if (field === 'data') data.push(value)
  }

  return (chunk) => {
    const lines = readLines(chunk)
    if (!lines.ok) return fail(`an event has more than ${longestEvent} bytes`)
    const events: StreamEvent[] = []
    for (const line of lines.value.map((one) => one.replace(/\r$/, ''))) {
      if (line === '') end(events)
      else take(line)
      if (isTooLarge) return fail(`an event has more than ${longestEvent} bytes`)
    }
    return ok(events)
  }
}
