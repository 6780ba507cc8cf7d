import { parseWatchedOrList } from './events.ts'
import { parseArray, parseObject } from './json.ts'
import { longestLine, maxParts, maxSources } from './limits.ts'
import { parseState, type StatePart } from './pod-state.ts'
import { isCount, isVersion, type WatchedObject } from './source.ts'
import { parseTurnState, type TurnState } from './turns.ts'

/** An object that a sidecar serves, in the version that it has read; or a list that its finds need. */
export interface ServedObject extends WatchedObject {
  version: string
}

/** One line from a sidecar. */
export type Report =
  | {
      type: 'snapshot'
      /** Snapshots are numbered; the newest replaces the earlier ones. */
      number: number
      /** A snapshot that does not fit into a line has several parts, sent in their order from 0 on. */
      part: number
      parts: number
      objects: ServedObject[]
    }
  /** A newer ServiceAccount token, which prolongs the session. */
  | { type: 'token'; token: string }
  /** Acknowledges a heartbeat. */
  | { type: 'seen'; heartbeat: number }
  /** What the sidecar has applied. */
  | StatePart
  /** The sidecar's part in turns; only of a pod that limits how many may be unavailable. */
  | ({ type: 'turn' } & TurnState)
  /** The sidecar ends on purpose: its session is not lost. */
  | { type: 'leaving' }

/** Formats a line, with its line feed; a state has lines of its own. */
export function formatReport(report: Exclude<Report, StatePart>): string {
  if (report.type !== 'snapshot') return `${JSON.stringify(report)}\n`
  const objects = report.objects.map(({ vault, type, name, version }) => [vault, type, name, version])
  return `${JSON.stringify({ ...report, objects })}\n`
}

/** Objects in one line: the longest take 410 bytes each. */
const objectsPerLine = 32

/** The lines of a snapshot; objects beyond {@link maxSources} are left out, and so are never covered. */
export function snapshotLines(number: number, objects: readonly ServedObject[]): string[] {
  const sent = objects.slice(0, maxSources)
  const parts = Math.max(1, Math.ceil(sent.length / objectsPerLine))
  return Array.from({ length: parts }, (_, part) => {
    const own = sent.slice(part * objectsPerLine, (part + 1) * objectsPerLine)
    return formatReport({ type: 'snapshot', number, part, parts, objects: own })
  })
}

/** How a line was read: a type that this version does not know is ignored, a line that cannot be read ends the session. */
export type ParsedReport = { report: Report } | 'unknown' | 'malformed'

/** Reads a line without its line feed; fields that this version does not know are ignored. */
export function parseReport(line: string): ParsedReport {
  const fields = parseObject(line)
  if (!fields || typeof fields['type'] !== 'string') return 'malformed'
  const parser = Object.hasOwn(parsers, fields['type']) ? parsers[fields['type'] as Report['type']] : undefined
  if (parser === undefined) return 'unknown'
  const report = parser(fields)
  return report ? { report } : 'malformed'
}

type Fields = Readonly<Record<string, unknown>>

const parsers: { readonly [Type in Report['type']]: (fields: Fields) => Report | undefined } = {
  snapshot: ({ number, part, parts, objects }) => {
    const parsed = parseArray(objects, maxSources, parseServed)
    if (!isCount(number) || !isCount(parts, maxParts) || !isCount(part, parts - 1) || !parsed) return undefined
    return { type: 'snapshot', number, part, parts, objects: parsed }
  },
  token: ({ token }) =>
    typeof token === 'string' && token.length < longestLine ? { type: 'token', token } : undefined,
  seen: ({ heartbeat }) => (isCount(heartbeat) ? { type: 'seen', heartbeat } : undefined),
  state: parseState,
  turn: (fields) => {
    const state = parseTurnState(fields)
    return state && { type: 'turn', ...state }
  },
  leaving: () => ({ type: 'leaving' }),
}

function parseServed(item: readonly unknown[]): ServedObject | undefined {
  const object = parseWatchedOrList(item)
  const version = item[3]
  return object && isVersion(version) ? { ...object, version } : undefined
}
