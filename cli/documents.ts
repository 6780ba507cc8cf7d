import { isAlias, isMap, parseAllDocuments, visit, type Document } from 'yaml'
import { limitsOf, type LimitRange } from '../shared/kubernetes/limit-range.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import type { Cluster } from '../webhook/cluster/cluster.ts'

/** A Kubernetes object in a manifest. */
export interface Manifest {
  apiVersion?: string
  kind?: string
  metadata?: {
    name?: string
    generateName?: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  spec?: unknown
  [field: string]: unknown
}

/** An object and its position: a document of its own, or an item of a List. */
export interface Found {
  document: Document
  /** The path to it within the document. */
  path: readonly (string | number)[]
  manifest: Manifest
}

/** Parses the documents of a YAML or JSON text. Each problem begins with the number of its document. */
export function readDocuments(text: string): Result<Document[]> {
  const documents = parseAllDocuments(text, { logLevel: 'silent' }) as Document[]
  const problems = documents.flatMap(({ errors }, index) => {
    const [error] = errors
    return error === undefined ? [] : [`document ${index + 1}: not valid YAML: ${error.message.split('\n')[0]}`]
  })
  return problems.length > 0 ? fail(...problems) : ok(documents)
}

/** Returns every object of the documents, including those in Lists. Documents without an object are skipped. */
export function objectsIn(documents: readonly Document[]): Found[] {
  return documents.flatMap((document) => {
    if (!isMap(document.contents)) return []
    resolveAliases(document)
    return unfold({ document, path: [], manifest: asReceived(document.toJS({ maxAliasCount: 1000 })) as Manifest })
  })
}

/**
 * Returns a value of a manifest as the API server reads it: a field that is null is absent, and an annotation that is null is empty. A null
 * in a list stays. The parser of YAML bounds the depth.
 * @param ofNull what a field of `value` is if it is null
 */
export function asReceived(value: unknown, ofNull?: ''): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => asReceived(item))
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).map(
    ([field, one]) =>
      [field, one === null ? ofNull : asReceived(one, field === 'annotations' ? '' : undefined)] as const,
  )
  return Object.fromEntries(fields.filter(([, one]) => one !== undefined))
}

/** Returns the items of a list that are not null; of anything else, none. */
export const itemsOf = <Item extends object>(list: unknown): Item[] =>
  Array.isArray(list) ? (list as (Item | null)[]).filter((item) => item !== null) : []

function unfold(found: Found): Found[] {
  const { document, path, manifest } = found
  const items = manifest['items']
  if (!manifest.kind?.endsWith('List') || !Array.isArray(items)) return [found]
  return items.flatMap((item: unknown, index) =>
    typeof item === 'object' && item !== null
      ? unfold({ document, path: [...path, 'items', index], manifest: item as Manifest })
      : [],
  )
}

/** An edit of an anchored value would show at each of its aliases, so each alias becomes a copy. */
function resolveAliases(document: Document): void {
  visit(document, {
    Alias(_key, alias) {
      const source = alias.resolve(document)
      return source === undefined || isAlias(source) ? undefined : document.createNode(source.toJS(document))
    },
  })
}

export interface OfflineOptions {
  /** The namespace of objects without one. */
  namespace: string
  /** The client ID of ServiceAccounts that are not in the documents. */
  clientId?: string
  /** The version of the oldest node, such as `v1.34.0`. */
  oldestKubelet?: string
}

/** A version that has everything the injector can use. */
const newVersion = 'v1.37.0'

/** Returns a {@link Cluster} that consists of the objects in documents. */
export function clusterOf(found: readonly Found[], { namespace, clientId, oldestKubelet }: OfflineOptions): Cluster {
  const all = found.map(({ manifest }) => manifest)
  const inNamespace = (kind: string, where: string): Manifest[] =>
    all.filter((one) => one.kind === kind && (one.metadata?.namespace ?? namespace) === where)
  const assumed =
    clientId === undefined ? undefined : { annotations: { 'azure.workload.identity/client-id': clientId } }
  return {
    async namespace(name) {
      const { labels = {}, annotations = {} } = namespaceIn(all, name)?.metadata ?? {}
      return { value: { name, labels, annotations }, cached: false }
    },
    async serviceAccount(where, name) {
      const manifest = inNamespace('ServiceAccount', where).find(({ metadata }) => metadata?.name === name)
      return { value: manifest ? { annotations: manifest.metadata?.annotations ?? {} } : assumed, cached: false }
    },
    async secretProviderClass(where, name) {
      const manifest = inNamespace('SecretProviderClass', where).find(({ metadata }) => metadata?.name === name)
      return { value: manifest === undefined ? 'absent' : { spec: manifest.spec }, cached: false }
    },
    limitRanges: async (where) => ({
      value: inNamespace('LimitRange', where).flatMap((one) => limitsOf(one as LimitRange)),
      cached: false,
    }),
    oldestKubelet: () => oldestKubelet ?? newVersion,
    apiServer: () => oldestKubelet ?? newVersion,
    notReady: () => undefined,
    close: async () => {},
  }
}

/** Returns the Namespace with a name. */
export const namespaceIn = (all: readonly Manifest[], name: string): Manifest | undefined =>
  all.find(({ kind, apiVersion, metadata }) => kind === 'Namespace' && apiVersion === 'v1' && metadata?.name === name)
