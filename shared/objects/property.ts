/**
 * The path of a field in the notation of External Secrets: names and list indices, separated by dots. A dot or a
 * backslash in a name is preceded by a backslash.
 */
export const propertyPattern = '^(?:[^.\\\\]|\\\\[.\\\\])+(?:\\.(?:[^.\\\\]|\\\\[.\\\\])+)*$'
/** Length limit of such a path in UTF-16 units. */
export const longestProperty = 1024

/** Returns the names in a path that matches {@link propertyPattern}. */
export const propertyNames = (property: string): string[] =>
  (property.match(/(?:[^.\\]|\\.)+/gs) ?? []).map((name) => name.replace(/\\(.)/gs, '$1'))

/** Returns a name as it is written in a path. */
export const spellName = (name: string): string => name.replace(/[.\\]/g, '\\$&')
