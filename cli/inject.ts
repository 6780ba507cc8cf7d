import type { Document } from 'yaml'
import type { Logger } from '../shared/log.ts'
import { injectionLabel } from '../shared/names.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import type { Configuration } from '../webhook/configuration/configuration.ts'
import { readPod } from '../webhook/pod/pod.ts'
import { skipReasons, type Problem, type Warning } from '../webhook/reasons.ts'
import type { Decision } from '../webhook/review/decision.ts'
import { decideByLookups } from '../webhook/review/lookups.ts'
import { templatePath } from '../webhook/review/workloads.ts'
import { applyChange, printed } from './edit.ts'
import { clusterOf, namespaceIn, objectsIn, readDocuments, type Found, type OfflineOptions } from './documents.ts'

export interface InjectOptions extends OfflineOptions {
  configuration: Configuration
  /** The sidecar's image, unless the configuration sets one. */
  image: string
  version: string
  log: Logger
}

/** The result for one pod or pod template. */
export interface Report {
  kind: string
  namespace: string
  name: string
  outcome: 'injected' | 'skipped' | 'denied'
  /** One line about an injected or skipped pod. */
  summary?: string
  problems: readonly Problem[]
  warnings: readonly Warning[]
}

export interface Injected {
  /** The documents with every pod and pod template as the webhook would leave it; skipped ones are unchanged. */
  text: string
  reports: Report[]
}

/**
 * Applies the webhook's decisions to manifests. Namespaces, ServiceAccounts, SecretProviderClasses and LimitRanges in
 * the documents are used. Problems concern the text; a denied pod has a report.
 */
export async function injectDocuments(text: string, options: InjectOptions): Promise<Result<Injected>> {
  const documents = readDocuments(text)
  if (!documents.ok) return documents
  const found = objectsIn(documents.value)
  if (found.length === 0) return fail('there is no Kubernetes object in it')
  const cluster = clusterOf(found, options)
  const context = { ...options, configuration: () => options.configuration, cluster }
  const changed = new Set<Document>()
  const reports: Report[] = []
  for (const one of found) {
    const template = templateIn(one)
    if (template === undefined) continue
    const namespace = one.manifest.metadata?.namespace ?? options.namespace
    const left = skipReason(found, namespace)
    const pod = readPod(template.value)
    const decision = await decideByLookups({ pod, namespace, configuration: options.configuration }, context, undefined)
    reports.push(reportOf(one, namespace, decision, left))
    if (left !== undefined || decision.kind !== 'inject' || !pod.ok) continue
    applyChange(one.document, template.path, pod.value, decision.pod)
    changed.add(one.document)
  }
  return ok({ text: printed(text, documents.value, changed), reports })
}

/** Returns the pod of an object (the object itself, or its template) and the fields that lead to it. */
export function templateIn({
  manifest,
  path,
}: Pick<Found, 'manifest' | 'path'>): { value: unknown; path: (string | number)[] } | undefined {
  const { kind = '', apiVersion = '' } = manifest
  if (kind === 'Pod' && apiVersion === 'v1') return { value: manifest, path: [...path] }
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : ''
  const fields = templatePath(kind, group)
  if (fields === undefined) return undefined
  const value = fields.reduce<unknown>(
    (at, field) => (at as Record<string, unknown> | null | undefined)?.[field],
    manifest,
  )
  return value === undefined ? undefined : { value, path: [...path, ...fields] }
}

/**
 * Returns why the API server would not call the webhook for pods of a namespace; undefined if it would, or if that is
 * unknown.
 */
function skipReason(found: readonly Found[], name: string): string | undefined {
  const namespace = namespaceIn(
    found.map(({ manifest }) => manifest),
    name,
  )
  if (namespace === undefined) return undefined
  const label = namespace.metadata?.labels?.[injectionLabel]
  if (label === 'enabled') return undefined
  return label === 'report'
    ? `namespace ${name} has the label ${injectionLabel}: report, so its pods are not changed`
    : `namespace ${name} does not have the label ${injectionLabel}: enabled`
}

function reportOf({ manifest }: Found, namespace: string, decision: Decision, left: string | undefined): Report {
  const { name, generateName } = manifest.metadata ?? {}
  const common = { kind: manifest.kind ?? '', namespace, name: name ?? generateName ?? '(unnamed)' }
  if (left !== undefined) return { ...common, outcome: 'skipped', summary: left, problems: [], warnings: [] }
  const { warnings } = decision
  switch (decision.kind) {
    case 'inject': {
      const { mode, objects } = decision.settings
      const summary = `mode ${mode}, ${objects.length} object${objects.length === 1 ? '' : 's'}`
      return { ...common, outcome: 'injected', summary, problems: [], warnings }
    }
    case 'skip':
      return { ...common, outcome: 'skipped', summary: skipReasons[decision.reason], problems: [], warnings }
    case 'deny':
      return { ...common, outcome: 'denied', problems: decision.problems, warnings }
  }
}
