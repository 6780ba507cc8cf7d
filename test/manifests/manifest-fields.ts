import { entryPath } from '../../webhook/request/entry-paths.ts'
import type { Manifest } from './rendered.ts'

interface Requirement {
  key: string
  operator: string
  values?: string[]
}
export interface Selector {
  matchLabels?: Record<string, string>
  matchExpressions?: Requirement[]
}
export interface Webhook {
  name: string
  failurePolicy: string
  sideEffects: string
  timeoutSeconds: number
  reinvocationPolicy?: string
  rules: { apiGroups: string[]; operations: string[]; resources: string[] }[]
  namespaceSelector: Selector
  objectSelector?: Selector
  matchConditions?: { name: string; expression: string }[]
  clientConfig: { caBundle?: string; service: { name: string; namespace: string; path?: string } }
}
interface Rule {
  apiGroups: string[]
  resources: string[]
  resourceNames?: string[]
  verbs: string[]
}

export const nameOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`
export const ofKind = (all: readonly Manifest[], ...kinds: string[]): Manifest[] =>
  all.filter(({ kind }) => kinds.includes(kind))
const webhooksOf = (configuration: Manifest): Webhook[] => configuration['webhooks'] as Webhook[]
/** The webhooks, each with the path it calls. If the webhook writes the path, it is not in the manifests. */
export const called = (configuration: Manifest): (Webhook & { path: string | undefined })[] =>
  webhooksOf(configuration).map((webhook) => ({ ...webhook, path: entryPath(configuration.kind, webhook.name) }))
export const rulesOf = (role: Manifest): Rule[] => role['rules'] as Rule[]

export type Labels = Record<string, string>

/** Returns whether `all` has each of the labels in `some`. */
export const isIn = (some: Labels, all: Labels): boolean =>
  Object.entries(some).every(([key, value]) => all[key] === value)
