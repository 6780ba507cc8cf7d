import { readFileSync } from 'node:fs'
import { Settings as TypeboxSettings } from 'typebox/system'
import { Check, Errors } from 'typebox/value'
import { parseDocument } from 'yaml'
import {
  annotations,
  families,
  readAnnotations,
  type Annotation,
  type AnnotationName,
  type AnnotationValues,
} from '../shared/annotations.ts'
import { builtInClouds, vaultUrl, type Cloud } from '../shared/clouds.ts'
import { parseDuration } from '../shared/duration.ts'
import { annotationPrefix } from '../shared/names.ts'
import { fail, ok, type Parsed } from '../shared/parsed.ts'
import { certificateProblem } from '../shared/pem.ts'
import { didYouMean, quote } from '../shared/suggest.ts'
import { ConfigurationFile } from './configuration-schema.ts'
import { grammarProblems } from './configuration-grammar.ts'
import { quantityOf } from './pod/quantity.ts'

// All problems of a file are told at once; the library stops at eight by itself.
TypeboxSettings.Set({ maxErrors: 1000 })

/** What a bounded annotation may be: the texts are the admin's, the numbers milliseconds, CPUs or bytes. */
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
  fullRefresh: number
  expiryHorizon: number
}
type OptionalFields =
  'tenantId' | 'classicMesh' | 'vaults' | 'image' | 'imagePullPolicy' | 'proxy' | 'caCertificates' | 'oldestKubelet'
type ReadFields = 'clouds' | 'defaults' | 'bounds' | 'annotations' | 'fullRefresh' | 'expiryHorizon'

/** Bounds that hold unless the file says otherwise. */
export const defaultBounds = {
  'poll-interval': { min: '30s', max: '24h' },
  'startup-timeout': { min: '10s', max: '1h' },
  splay: { max: '1h' },
} as const satisfies Partial<Record<AnnotationName, { min?: string; max?: string }>>

/** How the families of annotations are named in `annotations.allowed` and `annotations.forbidden`. */
const familyNames = Object.keys(families).map((family) => `${family}*`)

type ReadText = (file: string) => string
const readText: ReadText = (file) => readFileSync(file, 'utf8')

/**
 * Reads the administrator's file. Each problem begins with the path of what is wrong.
 * @param read reads the files that it names
 */
export function parseConfiguration(text: string, read = readText): Parsed<Configuration> {
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
      // What a text should have been is said by its grammar.
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

/** The fields of the object that a place in the schema describes, such as `#/properties/proxy`. */
function knownFields(schemaPath: string): string[] {
  let schema: unknown = ConfigurationFile
  for (const step of schemaPath.split('/').slice(1)) {
    schema = (schema as Record<string, unknown> | undefined)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return Object.keys((schema as { properties?: object } | undefined)?.properties ?? {})
}

function fillIn(file: ConfigurationFile, read: ReadText): Parsed<Configuration> {
  const problems: string[] = []
  const defaultOf = <K extends keyof ConfigurationFile>(field: K) =>
    (ConfigurationFile.properties[field] as { default?: unknown }).default as NonNullable<ConfigurationFile[K]>

  const clouds: Record<string, Cloud> = { ...builtInClouds, ...readClouds(file, read, problems) }
  const cloud = file.cloud ?? defaultOf('cloud')
  if (!Object.hasOwn(clouds, cloud)) problems.push(`cloud: there is no cloud ${quote(cloud)}${didYouMean(cloud, Object.keys(clouds))}`) // prettier-ignore
  for (const list of ['allowed', 'forbidden'] as const) {
    const known = [...Object.keys(annotations), ...familyNames]
    for (const name of file.annotations?.[list] ?? []) {
      if (!known.includes(name)) problems.push(`annotations.${list}: there is no annotation ${quote(name)}${didYouMean(name, known)}`) // prettier-ignore
    }
  }
  problems.push(...grammarProblems(file))
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
      ...file,
      cloud,
      clouds,
      defaults: { cloud, ...defaults },
      bounds,
      annotations: file.annotations ?? {},
      knownSidecars: file.knownSidecars ?? defaultOf('knownSidecars'),
      resources,
      imagePullSecrets: file.imagePullSecrets ?? [],
      missingClientId: file.missingClientId ?? defaultOf('missingClientId'),
      allowNodeIdentity: file.allowNodeIdentity ?? defaultOf('allowNodeIdentity'),
      sidecarPort: file.sidecarPort ?? defaultOf('sidecarPort'),
      volumeSizeLimit: file.volumeSizeLimit ?? defaultOf('volumeSizeLimit'),
      report: file.report ?? defaultOf('report'),
      workloadTemplates: file.workloadTemplates ?? defaultOf('workloadTemplates'),
      fullRefresh: milliseconds(file.fullRefresh ?? defaultOf('fullRefresh')),
      expiryHorizon: milliseconds(file.expiryHorizon ?? defaultOf('expiryHorizon')),
    }),
  )
}

/** The clouds of the file with the certificates that they name. */
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
  const bounded = (Object.keys(annotations) as AnnotationName[]).filter(
    (name) => (annotations[name] as Annotation<unknown>).bounded,
  )
  const builtIn: Record<string, { min?: string; max?: string }> = defaultBounds
  for (const key of new Set([...Object.keys(builtIn), ...Object.keys(file.bounds ?? {})])) {
    const name = bounded.find((known) => known === key)
    if (name === undefined) {
      problems.push(`bounds: ${quote(key)} is no annotation that can be bounded${didYouMean(key, bounded)}`)
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

/** Durations that would keep a sidecar busy, or end it at once, if they were nothing. */
const notZero = { 'poll-interval': true, 'startup-timeout': true }

/** What bounds compare: milliseconds, CPUs or bytes. */
const measure = (name: AnnotationName, text: string): number =>
  (annotations[name] as Annotation<unknown>).bounded === 'duration' ? milliseconds(text) : quantityOf(text)

/** What is wrong with a value of an annotation under the admin's bounds, or undefined. */
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
    const row: Annotation<unknown> | undefined = Object.hasOwn(annotations, name) ? annotations[name as AnnotationName] : undefined // prettier-ignore
    if (row?.podOnly || name === 'inject') problems.push(`defaults: ${quote(name)} is for pods only`)
    else if (name === 'client-id' || name === 'tenant-id')
      problems.push(`defaults: ${quote(name)} belongs to a ServiceAccount, Namespace or pod; for all of them there is tenantId`) // prettier-ignore
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
