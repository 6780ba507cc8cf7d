import { annotations, families, type Annotation } from '../../shared/annotations.ts'
import { builtInClouds } from '../../shared/clouds.ts'
import { annotationPrefix } from '../../shared/names.ts'
import { ConfigurationFile } from '../../webhook/configuration-schema.ts'
import { metrics as sidecarMetrics, type Metric } from '../../sidecar/metrics.ts'
import { metrics as webhookMetrics } from '../../webhook/metrics.ts'
import { limits } from '../../webhook/limits.ts'
import { denyReasons, missReasons, skipReasons, warningReasons } from '../../webhook/reasons.ts'
import { schemaRows } from './schema.ts'

/** A Markdown table; a bar inside a cell is escaped. */
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
  }) // prettier-ignore
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
  table(['reason', 'meaning'], Object.entries(reasons).map(([code, sentence]) => [`\`${code}\``, sentence])) // prettier-ignore

const limitTable = (): string =>
  table(['limit', 'meaning'], Object.entries(limits).map(([code, sentence]) => [`\`${code}\``, sentence])) // prettier-ignore

const metricTable = (metrics: Record<string, Metric>): string =>
  table(
    ['metric', 'type', 'labels', 'meaning'],
    Object.values(metrics).map(({ name, type, labels, help }) => [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help]), // prettier-ignore
  )

/** What makes each block of the documentation, by the block's name. */
export const blocks: Record<string, () => string> = {
  annotations: annotationTable,
  configuration: () => table(['field', 'default', 'meaning'], schemaRows(ConfigurationFile)),
  clouds: () =>
    table(
      ['cloud', 'authority', 'vaults'],
      Object.entries(builtInClouds).map(([name, { authorityHost, vaultSuffix }]) => [`\`${name}\``, authorityHost, `\`<vault>.${vaultSuffix}\``]), // prettier-ignore
    ),
  'skip-reasons': () => reasonTable(skipReasons),
  'deny-reasons': () => reasonTable(denyReasons),
  'warning-reasons': () => reasonTable(warningReasons),
  'miss-reasons': () => reasonTable(missReasons),
  limits: limitTable,
  'webhook-metrics': () => metricTable(webhookMetrics),
  'sidecar-metrics': () => metricTable(sidecarMetrics),
}
