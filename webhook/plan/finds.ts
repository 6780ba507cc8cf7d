import { findName, selectsAll, type FindSpec } from '../../shared/objects/find.ts'
import type { ObjectSpec } from '../../shared/objects/spec.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import type { Configuration } from '../configuration/configuration.ts'
import type { PlanContext } from './context.ts'

/** Checks that the administrator allows the finds of a pod; their vaults are checked like those of objects. */
export function checkFinds({ values, configuration, diagnostics }: PlanContext): void {
  if (configuration.find.allowAll) return
  for (const find of (values.objects?.finds ?? []).filter(selectsAll)) {
    diagnostics.problem(
      'not-allowed',
      `${findName(find)}: this selects every ${find.type} of the vault, which find.allowAll of the injector's configuration does not allow: add tags or a longer name`,
    )
  }
}

/** Returns the settings' field; empty if the pod has no finds. */
export const findSettings = (
  finds: FindSpec[],
  { find: { maxPages, maxMatches } }: Configuration,
): Pick<Settings, 'find'> => (finds.length > 0 ? { find: { maxPages, maxMatches, finds } } : {})

/** Returns the named objects and the finds of a pod, as far as they have the same fields. */
export const requestsOf = ({
  objects,
  find,
}: Pick<Settings, 'objects' | 'find'>): readonly (ObjectSpec | FindSpec)[] => [...objects, ...(find?.finds ?? [])]

/** Returns `3 objects` or `1 object and 2 finds`. */
export function requestCount({ objects, find }: Pick<Settings, 'objects' | 'find'>): string {
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`
  const named = count(objects.length, 'object')
  return find === undefined ? named : `${named} and ${count(find.finds.length, 'find')}`
}
