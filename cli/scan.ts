import { fail, ok, type Result } from '../shared/result.ts'
import { itemsOf, objectsIn, readDocuments, type Manifest } from './documents.ts'
import { templateIn } from './inject.ts'
import { reasonsOf } from './secret-patterns.ts'

/** A value in a manifest that looks like a secret. It has the place of the value, never the value. */
export interface Finding {
  kind: string
  namespace: string
  name: string
  /** `container web, variable DB_PASSWORD` or `key app.properties, line 3`. */
  place: string
  /** What makes it look like a secret. */
  reason: string
}

interface Literal {
  place: string
  name: string
  text: string
}

interface Container {
  name?: string
  env?: unknown
}

interface Variable {
  name?: string
  value?: unknown
}

/** Finds literal values in the variables of containers and in ConfigMaps that look like secrets. Problems are those of the text. */
export async function scanDocuments(text: string, namespace: string): Promise<Result<Finding[]>> {
  const documents = readDocuments(text)
  if (!documents.ok) return documents
  const found = objectsIn(documents.value)
  if (found.length === 0) return fail('there is no Kubernetes object in it')
  const findings: Finding[] = []
  for (const one of found) {
    const { kind = '', metadata = {} } = one.manifest
    const literals = kind === 'ConfigMap' ? dataOf(one.manifest) : variablesOf(templateIn(one)?.value)
    const common = { kind, namespace: metadata.namespace ?? namespace, name: metadata.name ?? '(unnamed)' }
    for (const { place, name, text } of literals)
      for (const reason of await reasonsOf(name, text)) findings.push({ ...common, place, reason })
  }
  return ok(findings)
}

function variablesOf(pod: unknown): Literal[] {
  const { initContainers, containers } = ((pod as { spec?: unknown } | undefined)?.spec ?? {}) as Record<
    string,
    unknown
  >
  return [initContainers, containers].flatMap((list) =>
    itemsOf<Container>(list).flatMap(({ name: container, env }) =>
      itemsOf<Variable>(env).flatMap(({ name, value }) =>
        typeof value === 'string'
          ? [{ place: `container ${container}, variable ${name}`, name: `${name}`, text: value }]
          : [],
      ),
    ),
  )
}

/** Each line of a ConfigMap by itself, named as `name: text` or `name=text` says, or by its key. */
function dataOf({ data }: Manifest): Literal[] {
  if (typeof data !== 'object' || data === null) return []
  return Object.entries(data).flatMap(([key, value]) => {
    if (typeof value !== 'string') return []
    const lines = withoutCertificates(value).split('\n')
    if (lines.length === 1) return [{ place: `key ${key}`, name: key, text: value }]
    return lines.map((line, index) => {
      const [, name = key, text = line] = /^\s*(?:export\s+)?"?([\w.-]+)"?\s*[:=]\s*(.*)$/.exec(line) ?? []
      return { place: `key ${key}, line ${index + 1}`, name, text: text.replace(/^(["'])(.*)\1,?$/, '$2') }
    })
  })
}

/** Certificates are public, and look random. Lines keep their numbers. */
const withoutCertificates = (text: string): string =>
  text.replace(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END (?:TRUSTED )?CERTIFICATE-----/g, (block) =>
    block.replace(/[^\n]+/g, ''),
  )
