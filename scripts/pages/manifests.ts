import { parseAllDocuments, stringify } from 'yaml'
import { injectDocuments, type InjectOptions } from '../../cli/inject.ts'
import { createLogger } from '../../shared/log.ts'
import { annotationPrefix } from '../../shared/names.ts'
import { parseConfiguration } from '../../webhook/configuration/configuration.ts'
import type { WarningReason } from '../../webhook/reasons.ts'
import { codeBlocks, type Block } from './markdown.ts'

/** The comment before a block for an installation with another configuration, which a scenario on a cluster checks. */
export const elsewhere = 'checked on a cluster'

/** Blocks of YAML and JSON that cannot be parsed, and manifests that the webhook would deny. */
export async function manifestProblems(page: string, text: string): Promise<string[]> {
  const blocks = codeBlocks(text).filter(({ language }) => ['yaml', 'json'].includes(language))
  const classes = blocks.flatMap(classesIn)
  const problems = await Promise.all(
    blocks.map(async (block) => (await problemsOf(block, classes)).map((one) => `${page}:${block.line}: ${one}`)),
  )
  return problems.flat()
}

/** A page shows a class once, and pods that name it in several blocks. */
const classesIn = ({ text }: Block): object[] =>
  parseAllDocuments(text, { logLevel: 'silent' })
    .map((document) => (document.errors.length > 0 ? undefined : (document.toJS() as unknown)))
    .filter(isMap)
    .filter(({ kind }) => kind === 'SecretProviderClass')

async function problemsOf({ language, text, comment }: Block, classes: readonly object[]): Promise<string[]> {
  if (language === 'json') return jsonProblems(text)
  const documents = parseAllDocuments(text, { logLevel: 'silent' })
  const errors = documents.flatMap((document) => document.errors.map(({ message }) => message.split('\n')[0] ?? ''))
  if (errors.length > 0) return errors
  const objects = documents.flatMap((document) => asObjects(document.toJS()))
  if (objects.length === 0 || comment === elsewhere) return []
  const result = await injectDocuments([...classes, ...objects].map((one) => stringify(one)).join('---\n'), options())
  if (!result.ok) return [...result.problems]
  return result.value.reports.flatMap(({ outcome, summary, problems, warnings }) =>
    outcome === 'skipped' && text.includes(annotationPrefix)
      ? [`a pod with annotations of the injector is not injected: ${summary}`]
      : [...problems, ...warnings.filter(({ reason }) => misleading.has(reason))].map(({ text }) => text),
  )
}

/** Warnings that a manifest on a page must not have: a reader who copies it would get no signal. */
const misleading: ReadonlySet<string> = new Set(['unknown-user-id', 'other-user-id'] satisfies WarningReason[])

function jsonProblems(text: string): string[] {
  try {
    JSON.parse(text)
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The Kubernetes objects that a document stands for: itself, or the pod that a page shows only metadata or annotations of. */
function asObjects(value: unknown): object[] {
  if (!isMap(value)) return []
  if (typeof value['kind'] === 'string') return [value]
  // A part of a class also has annotations.
  if (isMap(value['spec']) && 'secretObjects' in value['spec']) return []
  if (isMap(value['metadata'])) return [podWith(value['metadata'])]
  const isOurs = Object.keys(value).some((key) => key.startsWith(annotationPrefix))
  return isOurs ? [podWith({ annotations: value })] : []
}

function podWith({ annotations = {}, labels = {} }: { annotations?: object; labels?: object }): object {
  const requests = ['objects', 'secret-provider-class', 'env'].some(
    (name) => `${annotationPrefix}${name}` in annotations,
  )
  // What the rest of the page has said already.
  const before = {
    [`${annotationPrefix}vault`]: 'my-kv',
    ...(requests ? {} : { [`${annotationPrefix}objects`]: 'db-password, db' }),
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web',
      labels: { 'azure.workload.identity/use': 'true', ...labels },
      annotations: { ...before, ...annotations },
    },
    spec: { securityContext: { runAsUser: 1000 }, containers: [{ name: 'web', image: 'web:1.0' }] },
  }
}

/** As an administrator of these pages would run it. */
function options(): InjectOptions {
  const parsed = parseConfiguration('tenantId: 11111111-1111-1111-1111-111111111111')
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  return {
    namespace: 'my-team',
    clientId: '22222222-2222-2222-2222-222222222222',
    ...{ configuration: parsed.value, image: 'akv-injector:0.1.0', version: '0.1.0', log: createLogger('error') },
  }
}
