import type { Test } from 'tap'
import type { FindSpec } from '../../shared/objects/find.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import { findSpec } from './find-spec.ts'
import { podWith, type TestPod } from './sidecar-pod.ts'

/** The tag of what is found unless a test wants another. */
export const app = { app: 'web' }

interface Options extends Partial<Settings> {
  finds?: Partial<FindSpec>[]
  maxMatches?: number
  maxPages?: number
}

/** A pod with finds, beside a vault that has held `web-a` and `web-b` with a tag, and `other` without, for a while. */
export async function findingPod(
  t: Test,
  objects: string[] = [],
  { finds = [{ tags: app, group: 'web' }], maxMatches = 100, maxPages = 200, ...overrides }: Options = {},
): Promise<TestPod> {
  const find = { maxMatches, maxPages, finds: finds.map(findSpec) }
  const pod = await podWith(t, objects, { find, ...overrides })
  for (const name of ['web-a', 'web-b']) pod.vault.set(name, `${name}-1`, { tags: app })
  pod.vault.set('other', 'other-1')
  await pod.advance(86_400_000)
  return pod
}

/** What was requested since the last look. */
export function asked({ vault }: TestPod): string[] {
  return vault.asked.splice(0).map(({ operation, name }) => name ?? operation)
}
