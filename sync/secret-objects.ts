import { didYouMean, quote } from '../shared/messages.ts'
import { annotationPrefix } from '../shared/names.ts'
import { isSecretType, keyProblem, secretTypes, type SecretTypeName } from './secret-types.ts'

/** A Secret that a class requests with an entry of `secretObjects`. */
export interface SecretRequest {
  name: string
  type: SecretTypeName
  labels: Record<string, string>
  annotations: Record<string, string>
  /** By key: the path of the file with its value, which is an object's `objectAlias` or `objectName`, or a template's. */
  data: Map<string, string>
}

/** Limits of what one class may request. Kubernetes has 1 MiB for a Secret and 256 KiB for all of its annotations. */
export const requestBounds = { secrets: 50, keys: 200, texts: 50, characters: 16 * 1024 } as const

/** What Kubernetes accepts as the name of a Secret and as a key in it. */
const secretName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const dataKey = /^(?!\.\.?$)[-._a-zA-Z0-9]{1,253}$/

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Reads `secretObjects` of a SecretProviderClass as the CSI driver does
 * ({@link https://secrets-store-csi-driver.sigs.k8s.io/topics/sync-as-kubernetes-secret}). An entry with a problem is left out; the others
 * can still be written.
 * @param value the field of the class's `spec`
 */
export function readSecretObjects(value: unknown): { requests: SecretRequest[]; problems: string[] } {
  const requests: SecretRequest[] = []
  if (!Array.isArray(value) || value.length === 0)
    return { requests, problems: ['spec.secretObjects is missing: list the Secrets that are to be written'] }
  if (value.length > requestBounds.secrets)
    return {
      requests,
      problems: [
        `secretObjects lists ${value.length} Secrets, and at most ${requestBounds.secrets} may be: split the class`,
      ],
    }
  const problems: string[] = []
  for (const [index, item] of (value as unknown[]).entries()) {
    const where = `secretObjects[${index}]`
    const own: string[] = []
    const request = isMap(item) ? readRequest(item, own) : undefined
    if (!isMap(item)) own.push('expected a map with secretName, type and data')
    if (request !== undefined && requests.some(({ name }) => name === request.name))
      own.push(`the Secret ${request.name} is listed twice`)
    if (request !== undefined && own.length === 0) requests.push(request)
    const name = isMap(item) && typeof item['secretName'] === 'string' ? ` (${quote(item['secretName'])})` : ''
    problems.push(...own.map((problem) => `${where}${name}: ${problem}`))
  }
  return { requests, problems }
}

function readRequest(item: Record<string, unknown>, problems: string[]): SecretRequest | undefined {
  const name = trimmed(item['secretName'])
  if (name === '') problems.push('secretName is required')
  else if (!secretName.test(name)) problems.push('secretName is no name of a Secret')
  const type = readType(item['type'], problems)
  const data = readData(item['data'], problems)
  const labels = readTexts('labels', item['labels'], problems)
  const annotations = readTexts('annotations', item['annotations'], problems)
  if (problems.length > 0 || type === undefined) return undefined
  const problem = keyProblem(type, [...data.keys()])
  if (problem !== undefined) problems.push(problem)
  return { name, type, labels, annotations, data }
}

function readType(value: unknown, problems: string[]): SecretTypeName | undefined {
  const type = trimmed(value)
  if (isSecretType(type)) return type
  const known = Object.keys(secretTypes)
  problems.push(
    type === ''
      ? 'type is required, such as Opaque'
      : `type ${quote(type)} is not written${didYouMean(type, known)}; possible are ${known.join(', ')}`,
  )
  return undefined
}

function readData(value: unknown, problems: string[]): Map<string, string> {
  const data = new Map<string, string>()
  if (!Array.isArray(value) || value.length === 0) problems.push('data is required: a list of objectName and key')
  else if (value.length > requestBounds.keys)
    problems.push(`data lists ${value.length} keys, and at most ${requestBounds.keys} may be`)
  else
    for (const item of value as unknown[]) {
      const key = isMap(item) ? trimmed(item['key']) : ''
      const objectName = isMap(item) ? trimmed(item['objectName']) : ''
      if (objectName === '') problems.push('an entry of data has no objectName')
      if (!dataKey.test(key))
        problems.push(`data: key ${quote(key)}: expected letters, digits, dashes, dots and underscores`)
      // The driver takes the last one, which is not what anybody means.
      else if (data.has(key)) problems.push(`data: the key ${quote(key)} is listed twice`)
      data.set(key, objectName)
    }
  return data
}

/** Reads labels or annotations. Names of the injector are its own: they say what it wrote, and the admission policy relies on them. */
function readTexts(field: string, value: unknown, problems: string[]): Record<string, string> {
  if (value === undefined || value === null) return {}
  if (!isMap(value)) {
    problems.push(`${field}: expected a map`)
    return {}
  }
  const entries = Object.entries(value)
  const size = entries.reduce((sum, [name, text]) => sum + name.length + String(text).length, 0)
  if (entries.length > requestBounds.texts || size > requestBounds.characters) {
    problems.push(
      `${field}: ${entries.length} with ${size} characters, and at most ${requestBounds.texts} with ${requestBounds.characters} may be`,
    )
    return {}
  }
  for (const [name, text] of entries) {
    if (typeof text !== 'string') problems.push(`${field}: ${quote(name)}: expected a text`)
    if (name.startsWith(annotationPrefix)) problems.push(`${field}: ${quote(name)}: ${annotationPrefix}* is reserved`)
  }
  return Object.fromEntries(entries) as Record<string, string>
}

const trimmed = (value: unknown): string => (typeof value === 'string' ? value.trim() : '')
