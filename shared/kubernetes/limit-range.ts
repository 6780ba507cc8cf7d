import type { Meta } from './reflector.ts'

/** The entry of a LimitRange for containers or for pods as a whole. */
export interface Limits {
  /** The name of the LimitRange. */
  name: string
  type: 'Container' | 'Pod'
  min?: Record<string, string>
  max?: Record<string, string>
  maxLimitRequestRatio?: Record<string, string>
  /** Limits of containers without limits. */
  default?: Record<string, string>
  /** Requests of containers without requests. */
  defaultRequest?: Record<string, string>
}

/** The part of a LimitRange that is read. */
export interface LimitRange extends Meta {
  spec?: { limits?: ({ type?: string } & Omit<Limits, 'name' | 'type'>)[] }
}

/** The entries of a LimitRange for containers and pods. */
export const limitsOf = ({ metadata, spec }: LimitRange): Limits[] =>
  (spec?.limits ?? []).flatMap(({ type, min = {}, max = {}, maxLimitRequestRatio = {}, ...rest }) =>
    type === 'Container' || type === 'Pod'
      ? [{ name: metadata?.name ?? '', type, min, max, maxLimitRequestRatio, ...defaultsOf(rest) }]
      : [],
  )

const defaultsOf = ({ default: limits, defaultRequest }: Pick<Limits, 'default' | 'defaultRequest'>) => ({
  ...(limits === undefined ? {} : { default: limits }),
  ...(defaultRequest === undefined ? {} : { defaultRequest }),
})
