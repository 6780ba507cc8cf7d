import { listed, quote } from '../../shared/messages.ts'
import { injectionLabel, systemLabel } from '../../shared/names.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Installation } from './installation.ts'
import type { Named } from './objects.ts'
import type { Read, Reader } from './reader.ts'
import type { RegisteredEntry } from './registrations.ts'

const { ok, warn, fail, unread } = findingsOf('namespaces')
const metadata = {
  name: true,
  deletionTimestamp: true,
  labels: { [injectionLabel]: true, [systemLabel]: true },
} as const

/** The values of the label {@link injectionLabel} that the registrations select. */
export interface LabelValues {
  enabled: string
  report: string
}

export function labelValuesOf(entries: readonly RegisteredEntry[]): LabelValues {
  const selected = (label: string): string | undefined =>
    entries.find((one) => one.label === label)?.entry.namespaceSelector?.matchLabels?.[injectionLabel]
  return { enabled: selected('inject') ?? 'enabled', report: selected('report') ?? 'report' }
}

export const readNamespaces = (reader: Reader): Promise<Read<Named[]>> =>
  reader.list<Named>('/api/v1/namespaces', { metadata })

export const readNamespace = (reader: Reader, name: string): Promise<Read<Named>> =>
  reader.get<Named>(`/api/v1/namespaces/${encodeURIComponent(name)}`, { metadata })

/** Whether no pod of a namespace is injected, whatever its label {@link injectionLabel} is. */
const isSystem = ({ metadata: { name, labels } }: Named): boolean =>
  name === 'kube-system' || labels?.[systemLabel] === 'true'

/** Returns the names of the namespaces whose pods are injected. */
export const enabledNamespaces = (all: readonly Named[], { enabled }: LabelValues): string[] =>
  all
    .filter((one) => one.metadata.labels?.[injectionLabel] === enabled && !isSystem(one))
    // Nothing can be created in one that is being deleted.
    .filter(({ metadata: { deletionTimestamp } }) => deletionTimestamp === undefined)
    .map(({ metadata: { name } }) => name)
    .sort()

/** Checks the labels of all namespaces. @param wanted a namespace that the caller asks about */
export function judgeNamespaces(
  { namespace }: Installation,
  read: Read<Named[]>,
  values: LabelValues,
  wanted: string | undefined,
): Finding[] {
  if (read.kind !== 'found') return [unread('namespaces', read.kind === 'unread' ? read.reason : 'not found')]
  const all = read.value
  const named = (name: string): Named | undefined => all.find((one) => one.metadata.name === name)
  const findings = wanted === undefined ? [] : judgeNamespace(named(wanted), wanted, values)
  const strange = all.flatMap(({ metadata: { name, labels } }) => {
    const value = labels?.[injectionLabel]
    const isKnown = value === undefined || [values.enabled, values.report, 'enabled', 'report'].includes(value)
    return isKnown || name === wanted ? [] : [`${name} (${quote(value)})`]
  })
  if (strange.length > 0)
    findings.push(
      warn(
        `label ${injectionLabel}`,
        `has an unknown value, so that pods are not injected, in ${listed(strange)}`,
        `use ${values.enabled} or ${values.report}`,
      ),
    )
  if (named(namespace)?.metadata.labels?.[systemLabel] !== 'true')
    findings.push(
      fail(
        `namespace ${namespace}`,
        `lacks the label ${systemLabel}: "true", so that the injector may wait for itself`,
        `kubectl label namespace ${namespace} ${systemLabel}=true`,
      ),
    )
  const enabled = enabledNamespaces(all, values)
  if (enabled.length === 0 && wanted === undefined)
    findings.push(
      warn(
        'namespaces',
        'none is labeled for injection',
        `kubectl label namespace NAME ${injectionLabel}=${values.enabled}`,
      ),
    )
  return findings.length > 0 ? findings : [ok('namespaces', `${enabled.length} labeled for injection`)]
}

/** Checks that the pods of one namespace are injected. */
export function judgeNamespace(namespace: Named | undefined, name: string, values: LabelValues): Finding[] {
  const place = `namespace ${name}`
  if (namespace === undefined) return [fail(place, 'does not exist', 'name another one')]
  const value = namespace.metadata.labels?.[injectionLabel]
  if (isSystem(namespace)) {
    const cause = name === 'kube-system' ? 'belongs to Kubernetes' : `has the label ${systemLabel}: "true"`
    return [fail(place, `${cause}, so that none of its pods is injected`, 'use another namespace')]
  }
  if (value === values.enabled) return []
  const command = `kubectl label --overwrite namespace ${name} ${injectionLabel}=${values.enabled}, then recreate the pods`
  if (value === values.report)
    return [warn(place, `has the label ${injectionLabel}: ${value}, so that its pods are not changed`, command)]
  const text =
    value === undefined
      ? `lacks the label ${injectionLabel}: ${values.enabled}`
      : `has the label ${injectionLabel}: ${quote(value)} instead of ${values.enabled}`
  return [fail(place, `${text}, so that its pods are not injected`, command)]
}
