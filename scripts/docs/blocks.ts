import type { Annotation } from '../../shared/annotations/row.ts'
import { annotations, families } from '../../shared/annotations/table.ts'
import { builtInClouds } from '../../shared/clouds/clouds.ts'
import { annotationPrefix, eventAnchor, startAnchor } from '../../shared/names.ts'
import { programs, type Program } from '../../shared/start-failure.ts'
import { podStates } from '../../shared/coordination/rotation.ts'
import { outcomes, type OutcomeHelp } from '../../shared/outcomes.ts'
import { checks } from '../../cli/check/checks.ts'
import { ConfigurationFile } from '../../webhook/configuration/schema.ts'
import { anchorOf, type SidecarOutcome } from '../../sidecar/outcome-anchors.ts'
import { eventReasons } from '../../coordinator/rotation/announce.ts'
import { metrics as coordinatorMetrics } from '../../coordinator/metrics.ts'
import { metrics as sidecarMetrics, type Metric } from '../../sidecar/report/metrics.ts'
import { metrics as syncMetrics } from '../../sync/metrics.ts'
import { syncReasons } from '../../sync/reasons.ts'
import { metrics as webhookMetrics } from '../../webhook/report/metrics.ts'
import { limits } from '../../webhook/limits.ts'
import { denyReasons, missReasons, skipReasons, warningReasons } from '../../webhook/reasons.ts'
import { decisionPages } from './decisions.ts'
import { eventReasons as webhookEvents } from '../../webhook/report/event-reasons.ts'
import { eventRemedies, remedies, startRemedies } from './remedies.ts'
import { monthRows } from './requests.ts'
import { schemaRows } from './schema.ts'

/** Returns a Markdown table. Bars inside cells are escaped. */
export function table(heads: string[], rows: string[][]): string {
  const line = (cells: string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}

const defaultOf = ({ default: value, defaultHelp }: Annotation<unknown>): string =>
  defaultHelp ?? (value === undefined ? '-' : `\`${value}\``)

function annotationTable(): string {
  const rows = Object.entries<Annotation<unknown>>({
    ...annotations,
    ...Object.fromEntries(Object.entries(families).map(([name, row]) => [`${name}<path>`, row])),
  })
    .filter(([, row]) => !row.written)
    .map(([name, row]) => [
      `\`${name}\``,
      defaultOf(row),
      `\`${row.example}\``,
      row.help + (row.live ? ' *(live)*' : ''),
    ])
  const written = Object.entries<Annotation<unknown>>(annotations).filter(([, row]) => row.written)
  const list = written.map(([name, { help }]) => `- \`${name}\`: ${help}`).join('\n')
  return `All under \`${annotationPrefix}\`.\n\n${table(['annotation', 'default', 'example', 'meaning'], rows)}\n\nWritten by the webhook:\n\n${list}`
}

const reasonTable = (reasons: Record<string, string>): string =>
  table(
    ['reason', 'meaning'],
    Object.entries(reasons).map(([code, sentence]) => [`\`${code}\``, sentence]),
  )

/** One section for each reason, which the link at the end of a denial leads to. */
const denialSections = (): string =>
  (Object.keys(denyReasons) as (keyof typeof denyReasons)[])
    .map((reason) => `### ${reason}\n\nMeaning: ${denyReasons[reason]}.\n\n${remedies[reason]}`)
    .join('\n\n')

/** A code of the sidecar that has no section, and a section without a code, is an error of the type checker. */
const help = outcomes satisfies Record<SidecarOutcome, OutcomeHelp>
const outcomeCodes: readonly SidecarOutcome[] = Object.keys(help) as (keyof typeof help)[]
const outcomeEntries = outcomeCodes.map((code): [SidecarOutcome, OutcomeHelp] => [code, help[code]])

/** One section for each outcome of the sidecar, which the link at the end of a termination message leads to. */
const outcomeSections = (): string =>
  outcomeEntries
    .map(([outcome, { meaning, remedy }]) => `### ${anchorOf(outcome)}\n\nMeaning: ${meaning}.\n\n${remedy}`)
    .join('\n\n')

/** The sections by parts of messages, in alphabetical order. */
const messageIndex = (): string =>
  table(
    ['a message of the sidecar contains', 'section'],
    outcomeEntries
      .flatMap(([outcome, { messages }]) => messages.map((message) => [`"${message}"`, outcome] as const))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([message, outcome]) => [message, `[${outcome}](#${anchorOf(outcome)})`]),
  )

/** One section for each check, which a finding of `akv-injector check` leads to. */
const checkSections = (): string =>
  Object.entries(checks)
    .map(([name, { meaning, remedy }]) => `### check-${name}\n\nChecks that ${meaning}.\n\n${remedy}`)
    .join('\n\n')

/** Every Event that a program writes. */
export const events = { ...webhookEvents, ...syncReasons, ...eventReasons } as const

/** One section for each Event, which the message of a Warning leads to. */
const eventSections = (): string =>
  (Object.keys(events) as (keyof typeof events)[])
    .map(
      (reason) => `### ${eventAnchor(reason)}\n\n\`${reason}\` means: ${events[reason]}.\n\n${eventRemedies[reason]}`,
    )
    .join('\n\n')

/** One section for each program that runs as a Deployment, which the last line of a failed start leads to. */
const startSections = (): string =>
  (Object.keys(programs) as Program[])
    .map(
      (program) =>
        `### ${startAnchor(program)}\n\nMeaning: ${startRemedies[program].meaning}.\n\n${startRemedies[program].remedy}`,
    )
    .join('\n\n')

const limitTable = (): string =>
  table(
    ['limit', 'meaning'],
    Object.entries(limits).map(([code, sentence]) => [`\`${code}\``, sentence]),
  )

const decisionTable = (): string =>
  table(
    ['decision', 'status'],
    decisionPages().map(({ file, title, status }) => [`[${file.slice(0, 4)}](${file}) ${title}`, status]),
  )

const metricTable = (metrics: Record<string, Metric>): string =>
  table(
    ['metric', 'type', 'labels', 'meaning'],
    Object.values(metrics).map(({ name, type, labels, help }) => [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(', '),
      help,
    ]),
  )

/** The functions that generate the blocks of the documentation, by the name of the block. */
export const blocks: Record<string, () => string> = {
  annotations: annotationTable,
  denials: denialSections,
  outcomes: outcomeSections,
  messages: messageIndex,
  checks: checkSections,
  events: eventSections,
  starts: startSections,
  decisions: decisionTable,
  configuration: () => table(['field', 'default', 'meaning'], schemaRows(ConfigurationFile)),
  clouds: () =>
    table(
      ['cloud', 'authority', 'vaults'],
      Object.entries(builtInClouds).map(([name, { authorityHost, vaultSuffix }]) => [
        `\`${name}\``,
        authorityHost,
        `\`<vault>.${vaultSuffix}\``,
      ]),
    ),
  'skip-reasons': () => reasonTable(skipReasons),
  'deny-reasons': () => reasonTable(denyReasons),
  'warning-reasons': () => reasonTable(warningReasons),
  'miss-reasons': () => reasonTable(missReasons),
  limits: limitTable,
  'webhook-metrics': () => metricTable(webhookMetrics),
  'sidecar-metrics': () => metricTable(sidecarMetrics),
  'sync-metrics': () => metricTable(syncMetrics),
  'sync-reasons': () =>
    table(
      ['reason', 'meaning'],
      Object.entries(syncReasons).map(([code, sentence]) => [`\`${code}\``, sentence]),
    ),
  'rotation-states': () =>
    table(
      ['state', 'meaning: the pod ...'],
      Object.entries(podStates).map(([state, meaning]) => [`\`${state}\``, meaning]),
    ),
  'requests-a-month': () =>
    table(['pods', 'objects of a pod', 'requests of polls', 'cost', 'with a coordinator', 'cost'], monthRows()),
  'coordinator-events': () => reasonTable(eventReasons),
  'coordinator-metrics': () => metricTable(coordinatorMetrics),
}
