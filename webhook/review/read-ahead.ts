import { setImmediate } from 'node:timers/promises'
import { maxAnnotations } from '../../shared/annotations/read.ts'
import { annotations as table } from '../../shared/annotations/table.ts'
import { annotationPrefix } from '../../shared/names.ts'
import { TemplateEffort, templateSteps, type TemplateUses } from '../../shared/render/template.ts'
import { finishInTurns } from '../../shared/steps.ts'
import type { Configuration } from '../configuration/configuration.ts'
import { resolveValues, templatesOf } from '../plan/effective-annotations.ts'
import { Diagnostics } from '../reasons.ts'

/** UTF-16 units of an annotation `objects` from which on it is read on a turn of its own of the event loop. */
const longObjects = 4 * 1024
/** UTF-16 units of templates and of what may hold some, from which on each template is read on a turn of its own. */
const longTemplates = 1024

/**
 * Reads the long texts of a pod before the decision, which finds them read: other reviews and probes are answered between them.
 * @returns the templates that were read, by their text
 */
export async function readAhead(
  onPod: Record<string, string>,
  onNamespace: Record<string, string>,
  configuration: Configuration,
): Promise<Map<string, TemplateUses>> {
  const read = new Map<string, TemplateUses>()
  for (const { [`${annotationPrefix}objects`]: text = '' } of [onPod, onNamespace]) {
    if (text.length < longObjects) continue
    table.objects.parse(text)
    await setImmediate()
  }
  if (Math.max(lengthOf(onPod), lengthOf(onNamespace)) < longTemplates) return read
  const effort = new TemplateEffort()
  for (const text of Object.values(templatesOf(resolveValues(onPod, onNamespace, configuration, new Diagnostics())))) {
    if (!read.has(text)) read.set(text, await finishInTurns(templateSteps(text, effort)))
  }
  return read
}

/** Of the texts that templates may be in; none of more annotations than are read. */
function lengthOf(annotations: Record<string, string>): number {
  const own = Object.keys(annotations).filter((key) => key.startsWith(annotationPrefix))
  if (own.length > maxAnnotations) return 0
  const texts = own.filter(
    (key) => key === `${annotationPrefix}objects` || key.startsWith(`${annotationPrefix}template-`),
  )
  return texts.reduce((sum, key) => sum + (annotations[key]?.length ?? 0), 0)
}
