import { readFileSync } from 'node:fs'
import { Settings as TypeboxSettings } from 'typebox/system'
import { Check, Errors } from 'typebox/value'
import { parseDocument } from 'yaml'
import { readAnnotations } from '../../shared/annotations/read.ts'
import type { Annotation } from '../../shared/annotations/row.ts'
import {
  annotations,
  families,
  rowOf,
  type AnnotationName,
  type AnnotationValues,
} from '../../shared/annotations/table.ts'
import { builtInClouds, vaultUrl, type Cloud } from '../../shared/clouds/clouds.ts'
import { parseDuration } from '../../shared/duration.ts'
import { annotationPrefix } from '../../shared/names.ts'
import { fail, ok, type Result } from '../../shared/result.ts'
import { certificateProblem } from '../../shared/pem.ts'
import { didYouMean, quote } from '../../shared/messages.ts'
import { readCoordinator, type Coordinator } from './coordinator.ts'
import { ConfigurationFile } from './schema.ts'
import { grammarProblems } from './grammar.ts'
import { quantityOf } from '../../shared/kubernetes/quantity.ts'

// All problems of a file are reported at once; the library's default stops at eight.
TypeboxSettings.Set({ maxErrors: 1000 })

/** The bounds of an annotation: in milliseconds, CPUs or bytes, and as the administrator wrote them. */
export interface Bound {
  min: number
  max: number
  minText?: string
  maxText?: string
}

/** The administrator's file with every default filled in: durations in milliseconds, annotations read. Frozen. */
export interface Configuration
  extends Omit<Required<Omit<ConfigurationFile, OptionalFields>>, ReadFields>, Pick<ConfigurationFile, OptionalFields> {
  clouds: Record<string, Cloud>
  defaults: AnnotationValues
  bounds: Partial<Record<AnnotationName, Bound>>
  annotations: { allowed?: string[]; forbidden?: string[] }
  find: Required<NonNullable<ConfigurationFile['find']>>
  /** Absent without a coordinator. */
  coordinator?: Coordinator
  fullRefresh: number
  expiryHorizon: number
}
type OptionalFields =
  'tenantId' | 'classicMesh' | 'vaults' | 'image' | 'imagePullPolicy' | 'proxy' | 'caCertificates' | 'oldestKubelet'
type ReadFields =
  'coordinator' | 'clouds' | 'defaults' | 'bounds' | 'annotations' | 'find' | 'fullRefresh' | 'expiryHorizon'

/** Bounds that apply unless the file sets others. */
export const defaultBounds = {
  'poll-interval': { min: '30s', max: '24h' },
  'startup-timeout': { min: '10s', max: '1h' },
  splay: { max: '1h' },
  'min-ready': { min: '1s', max: '1h' },
  'turn-timeout': { min: '10s', max: '24h' },
} as const satisfies Partial<Record<AnnotationName, { min?: string; max?: string }>>

/** The names of annotation families in `annotations.allowed` and `annotations.forbidden`. */
const familyNames = Object.keys(families).map((family) => `${family}*`)

type ReadText = (file: string) => string
const readText: ReadText = (file) => readFileSync(file, 'utf8')

/**
 * Reads the administrator's file. Each problem begins with the path of the field.
 * @param read reads the files that it names
 */
export function parseConfiguration(text: string, read = readText): Result<Configuration> {
  const document = parseDocument(text, { logLevel: 'silent' })
  const [error] = document.errors
  if (error !== undefined) return fail(`not valid YAML: ${error.message.split('\n')[0]}`)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 }) ?? {}
  } catch (cause) {
    return fail(`not valid YAML: ${(cause as Error).message}`)
  }
  if (!Check(ConfigurationFile, value)) return fail(...schemaProblems(value), ...grammarProblems(value))
  return fillIn(value, read)
}

function schemaProblems(value: unknown): string[] {
  return (
    [...Errors(ConfigurationFile, value)]
      // The grammar has better messages for texts.
      .filter(({ keyword }) => keyword !== 'boolean' && keyword !== 'pattern')
      .flatMap((error) => {
        const path = error.instancePath.slice(1).replaceAll('/', '.')
        const where = path === '' ? '' : `${path}: `
        if (error.keyword === 'additionalProperties') {
          const known = knownFields(error.schemaPath)
          return error.params.additionalProperties.map(
            (field) => `${where}unknown field ${quote(field)}${didYouMean(field, known)}`,
          )
        }
        if (error.keyword === 'enum')
          return `${where}expected one of ${error.params.allowedValues.map(String).join(', ')}`
        return `${where}${error.message}`
      })
  )
}

/** Returns the fields of the object that a place in the schema describes, such as `#/properties/proxy`. */
function knownFields(schemaPath: string): string[] {
  let schema: unknown = ConfigurationFile
  for (const step of schemaPath.split('/').slice(1)) {
    schema = (schema as Record<string, unknown> | undefined)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return Object.keys((schema as { properties?: object } | undefined)?.properties ?? {})
}

function fillIn(file: ConfigurationFile, read: ReadText): Result<Configuration> {
  const problems: string[] = []
  const defaultOf = <K extends keyof ConfigurationFile>(field: K) =>
    (ConfigurationFile.properties[field] as { default?: unknown }).default as NonNullable<ConfigurationFile[K]>

  const clouds: Record<string, Cloud> = { ...builtInClouds, ...readClouds(file, read, problems) }
  const cloud = file.cloud ?? defaultOf('cloud')
  if (!Object.hasOwn(clouds, cloud))
    problems.push(`cloud: there is no cloud ${quote(cloud)}${didYouMean(cloud, Object.keys(clouds))}`)
  for (const list of ['allowed', 'forbidden'] as const) {
    const known = [...Object.keys(annotations), ...familyNames]
    for (const name of file.annotations?.[list] ?? []) {
      if (!known.includes(name))
        problems.push(`annotations.${list}: there is no annotation ${quote(name)}${didYouMean(name, known)}`)
    }
  }
  problems.push(...grammarProblems(file))
  const { coordinator: coordinatorFile, ...rest } = file
  const coordinator = readCoordinator(coordinatorFile, read, problems)
  const bounds = readBounds(file, problems)
  const defaults = readDefaults(file, bounds, problems)
  const resources = {
    requests: { ...defaultOf('resources').requests, ...file.resources?.requests },
    limits: { ...defaultOf('resources').limits, ...file.resources?.limits },
  }
  for (const [name, request] of Object.entries(resources.requests)) {
    const limit = (resources.limits as Record<string, string>)[name]
    if (limit !== undefined && quantityOf(request) > quantityOf(limit))
      problems.push(`resources.requests.${name}: ${request} is more than the limit of ${limit}`)
  }
  if (problems.length > 0) return fail(...problems)
  return ok(
    deepFreeze({
      ...rest,
      ...(coordinator && { coordinator }),
      cloud,
      clouds,
      defaults: { cloud, ...defaults },
      bounds,
      annotations: file.annotations ?? {},
      knownSidecars: file.knownSidecars ?? defaultOf('knownSidecars'),
      resources,
      imagePullSecrets: file.imagePullSecrets ?? [],
      missingClientId: file.missingClientId ?? defaultOf('missingClientId'),
      find: { ...defaultOf('find'), ...file.find } as Configuration['find'],
      allowNodeIdentity: file.allowNodeIdentity ?? defaultOf('allowNodeIdentity'),
      velero: file.velero ?? defaultOf('velero'),
      sidecarPort: file.sidecarPort ?? defaultOf('sidecarPort'),
      volumeSizeLimit: file.volumeSizeLimit ?? defaultOf('volumeSizeLimit'),
      report: file.report ?? defaultOf('report'),
      workloadTemplates: file.workloadTemplates ?? defaultOf('workloadTemplates'),
      fullRefresh: milliseconds(file.fullRefresh ?? defaultOf('fullRefresh')),
      expiryHorizon: milliseconds(file.expiryHorizon ?? defaultOf('expiryHorizon')),
    }),
  )
}

/** Returns the clouds of the file, with the content of their certificate files. */
function readClouds(file: ConfigurationFile, read: ReadText, problems: string[]): Record<string, Cloud> {
  const withCertificates = Object.entries(file.clouds ?? {}).map(([name, { caCertificatesFile, ...cloud }]) => {
    if (caCertificatesFile === undefined) return [name, cloud]
    const where = `clouds.${name}.caCertificatesFile: ${caCertificatesFile}`
    try {
      const certificates = read(caCertificatesFile)
      const problem = certificateProblem(certificates)
      if (problem !== undefined) problems.push(`${where}: ${problem}`)
      return [name, { ...cloud, caCertificates: [cloud.caCertificates, certificates].filter(Boolean).join('\n') }]
    } catch (error) {
      problems.push(`${where}: ${(error as Error).message}`)
      return [name, cloud]
    }
  })
  return Object.fromEntries(withCertificates) as Record<string, Cloud>
}

function milliseconds(text: string): number {
  const parsed = parseDuration(text)
  return parsed.ok ? parsed.value : NaN
}

function readBounds(file: ConfigurationFile, problems: string[]): Configuration['bounds'] {
  const bounds: Configuration['bounds'] = {}
  const bounded = (Object.keys(annotations) as AnnotationName[]).filter((name) => rowOf(name).bounded)
  const builtIn: Record<string, { min?: string; max?: string }> = defaultBounds
  for (const key of new Set([...Object.keys(builtIn), ...Object.keys(file.bounds ?? {})])) {
    const name = bounded.find((known) => known === key)
    if (name === undefined) {
      problems.push(
        `bounds: ${quote(key)} is not an annotation with a duration or a quantity${didYouMean(key, bounded)}`,
      )
      continue
    }
    const { min, max } = { ...builtIn[key], ...file.bounds?.[key] }
    for (const [end, text] of Object.entries({ min, max })) {
      if (text === undefined) continue
      const parsed = annotations[name].parse(text)
      if (!parsed.ok) problems.push(`bounds.${name}.${end} ${quote(text)}: ${parsed.problems.join('; ')}`)
    }
    const bound: Bound = {
      min: min === undefined ? 0 : measure(name, min),
      max: max === undefined ? Infinity : measure(name, max),
      ...(min === undefined ? {} : { minText: min }),
      ...(max === undefined ? {} : { maxText: max }),
    }
    if (min !== undefined && bound.min === 0 && name in notZero)
      problems.push(`bounds.${name}.min ${quote(min)}: expected a duration above zero`)
    if (bound.min > bound.max) problems.push(`bounds.${name}: min is more than max`)
    bounds[name] = bound
  }
  return bounds
}

/** Durations that must not be zero: the sidecar would be permanently busy, or end at once. */
const notZero = { 'poll-interval': true, 'startup-timeout': true }

/** Returns what bounds compare: milliseconds, CPUs or bytes. */
const measure = (name: AnnotationName, text: string): number =>
  rowOf(name).bounded === 'duration' ? milliseconds(text) : quantityOf(text)

/** Returns why a value violates the administrator's bounds, or undefined. */
export function boundProblem(
  name: AnnotationName,
  value: unknown,
  { bounds }: Pick<Configuration, 'bounds'>,
): string | undefined {
  const bound = bounds[name]
  if (bound === undefined) return undefined
  const number = typeof value === 'number' ? value : quantityOf(String(value))
  if (number < bound.min) return `the administrator allows no less than ${bound.minText}`
  if (number > bound.max) return `the administrator allows no more than ${bound.maxText}`
  return undefined
}

function readDefaults(file: ConfigurationFile, bounds: Configuration['bounds'], problems: string[]): AnnotationValues {
  const raw: Record<string, string> = {}
  for (const [name, text] of Object.entries(file.defaults ?? {})) {
    const row: Annotation<unknown> | undefined = Object.hasOwn(annotations, name)
      ? annotations[name as AnnotationName]
      : undefined
    if (row?.podOnly || name === 'inject') problems.push(`defaults: ${quote(name)} is only allowed on pods`)
    else if (name === 'client-id' || name === 'tenant-id')
      problems.push(
        `defaults: ${quote(name)} belongs on a ServiceAccount, Namespace or pod; use tenantId as a default for all of them`,
      )
    else raw[annotationPrefix + name] = text
  }
  const { values, problems: found } = readAnnotations(raw)
  problems.push(...found.map((problem) => `defaults: ${problem.replace(annotationPrefix, '')}`))
  if (values.cloud !== undefined && !Object.hasOwn({ ...builtInClouds, ...file.clouds }, values.cloud)) {
    problems.push(`defaults.cloud: there is no cloud ${quote(values.cloud)}`)
  }
  const cloud = { ...builtInClouds, ...file.clouds }[values.cloud ?? file.cloud ?? 'AzurePublicCloud']
  if (values.vault !== undefined && cloud !== undefined) {
    const url = vaultUrl(values.vault, cloud)
    if (!url.ok) problems.push(`defaults.vault ${quote(values.vault)}: ${url.problems.join('; ')}`)
  }
  for (const [name, value] of Object.entries(values)) {
    const problem = boundProblem(name as AnnotationName, value, { bounds })
    if (problem !== undefined) problems.push(`defaults.${name}: ${problem}`)
  }
  return values
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}
