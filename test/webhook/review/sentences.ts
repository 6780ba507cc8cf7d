import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { parse, stringify } from 'yaml'
import type { PlanInputs } from '../../../webhook/plan/inputs.ts'
import { decide } from '../../support/decide.ts'
import { planInputs } from '../default-configuration.ts'

/** A pod, and what differs from the default inputs of a decision. */
export type Case = [pod: unknown, changes?: Partial<PlanInputs>]
export type Cases = Record<string, Case>
type SentencesOf = (pod: unknown, changes?: Partial<PlanInputs>) => string[]

/** Returns the reasons and sentences of a denial, or the kind of any other decision. */
export const problemsOf: SentencesOf = (pod, changes = {}) => {
  const decision = decide(pod, planInputs(changes))
  return decision.kind === 'deny' ? decision.problems.map(({ reason, text }) => `${reason}: ${text}`) : [decision.kind]
}

export const warningsOf: SentencesOf = (pod, changes = {}) =>
  decide(pod, planInputs(changes)).warnings.map(({ text }) => text)

export const sentencesOf = (cases: Cases, of: SentencesOf): Record<string, string[]> =>
  Object.fromEntries(Object.entries(cases).map(([name, [pod, changes]]) => [name, of(pod, changes)]))

/**
 * Compares the sentences of each case to a YAML file in `sentences/`. UPDATE_GOLDEN=1 writes the file; read the difference and run
 * prettier over it.
 */
export function matchSentences(t: Test, file: string, found: Record<string, string[]>): void {
  const path = join(import.meta.dirname, 'sentences', file)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, stringify(found, { lineWidth: 110 }))
  const expected = parse(readFileSync(path, 'utf8')) as Record<string, string[]>
  for (const [name, sentences] of Object.entries(found)) t.strictSame(sentences, expected[name], name)
  t.strictSame(Object.keys(expected), Object.keys(found), 'no case is missing')
}
