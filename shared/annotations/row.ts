import type { Result } from '../result.ts'

/** A row of the annotation table, from which checks, defaults, live annotations and the documentation derive. */
export interface Annotation<T> {
  /** One line for the documentation. */
  help: string
  /** Applies if neither the pod, its Namespace nor the administrator sets a value: a text that a user could write. */
  default?: string
  /** The default in words, if it is not a text that the annotation could have. */
  defaultHelp?: string
  example: string
  /** What the administrator's bounds compare. */
  bounded?: 'duration' | 'quantity'
  /** The sidecar follows changes of the annotation on a running pod. */
  live?: true
  /** Not allowed on a Namespace. */
  podOnly?: true
  /** Written by the webhook, not by users. */
  written?: true
  parse: (text: string) => Result<T>
}
