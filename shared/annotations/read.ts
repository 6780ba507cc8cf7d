import { didYouMean, quote } from '../messages.ts'
import { annotationPrefix } from '../names.ts'
import { pathProblem } from '../paths.ts'
import { fail, ok, type Result } from '../result.ts'
import { maxValue, tooLong } from './parsers.ts'
import type { Annotation } from './row.ts'
import { annotations, families, type AnnotationName, type AnnotationValues } from './table.ts'

/** Limit of the injector's annotations on a pod or Namespace. */
export const maxAnnotations = 200

/**
 * Reads every annotation with the injector's prefix. Each problem names the annotation and its value; an unknown name is a problem.
 * @param raw a pod's or Namespace's `metadata.annotations`
 */
export function readAnnotations(
  raw: Record<string, unknown>,
  on: 'pod' | 'namespace' = 'pod',
): { values: AnnotationValues; problems: string[] } {
  const values: Record<string, unknown> = {}
  const own = Object.keys(raw).filter((key) => key.startsWith(annotationPrefix))
  if (own.length > maxAnnotations) {
    const whose = on === 'namespace' ? 'the namespace' : 'the pod'
    return {
      values,
      problems: [
        `${whose} has ${own.length} annotations ${annotationPrefix}*, and at most ${maxAnnotations} are read: write templates and bundles into objects`,
      ],
    }
  }
  const problems: string[] = []
  for (const key of own) {
    const value = raw[key]
    const where = `annotation ${quote(key).slice(1, -1)}${on === 'namespace' ? ' of the namespace' : ''}`
    if (typeof value !== 'string') {
      problems.push(`${where}: expected a text`)
      continue
    }
    const name = key.slice(annotationPrefix.length)
    const parsed = readOne(name, value, on)
    if (!parsed.ok) problems.push(...parsed.problems.map((problem) => `${where}${shown(name, value)}: ${problem}`))
    else parsed.value(values)
  }
  return { values, problems }
}

/** Defines a property like a literal would, even if its name is `__proto__`. */
const property = { enumerable: true, writable: true, configurable: true } as const

/** Long values (objects, templates) are not repeated, because their problems have positions. */
const shown = (name: string, value: string): string =>
  name === 'objects' || name.startsWith('template-') ? '' : ` ${quote(value)}`

function readOne(
  name: string,
  value: string,
  on: 'pod' | 'namespace',
): Result<(into: Record<string, unknown>) => void> {
  if (value.length > maxValue && name !== 'objects') return fail(tooLong(value))
  if (Object.hasOwn(annotations, name)) {
    const row: Annotation<unknown> = annotations[name as AnnotationName]
    if (on === 'namespace' && row.podOnly) return fail('this annotation is only allowed on pods')
    const parsed = row.parse(name === 'objects' ? value : value.trim())
    return parsed.ok ? ok((into) => (into[name] = parsed.value)) : parsed
  }
  for (const [family, field] of [
    ['template-', 'templates'],
    ['bundle-', 'bundles'],
  ] as const) {
    if (!name.startsWith(family)) continue
    const path = name.slice(family.length)
    const problem = pathProblem(path)
    if (problem !== undefined) return fail(problem)
    const parsed = families[family].parse(value)
    return parsed.ok
      ? ok((into) => Object.defineProperty((into[field] ??= {}), path, { ...property, value: parsed.value }))
      : parsed
  }
  return fail(`there is no such annotation${didYouMean(name, Object.keys(annotations))}`)
}
