import { messageOf } from '../shared/errors.ts'
import { isTrusted, isValid, type Observed } from './rotation.ts'

export interface Readiness {
  ready: boolean
  /** why not, for a person; absent when ready */
  reason?: string
}

/** Ready if a valid certificate is served whose authority is in the caBundle of each of the injector's webhooks. */
export function readiness(
  { serving, configurations, trouble }: Pick<Observed, 'serving' | 'configurations'> & { trouble?: unknown },
  now: number,
): Readiness {
  if (!serving) return notReady(`no certificate is served yet${trouble === undefined ? '' : `: ${messageOf(trouble)}`}`)
  if (!isValid(serving, now)) return notReady('the certificate being served is not valid now')
  if (configurations.length === 0) return notReady('no webhook configuration calls the Services of the injector')
  const distrusting = configurations.filter((configuration) => !isTrusted(serving.authority, [configuration]))
  if (distrusting.length > 0) return notTrusted(distrusting)
  const lost = configurations.filter(({ webhooks }) => webhooks.some(({ segment }) => segment === undefined))
  return lost.length === 0
    ? { ready: true }
    : notReady(`a path in ${idsOf(lost)} has no segment yet, so its calls are rejected`)
}

/** Not ready, because callers would reject the served certificate. */
export function notTrusted(configurations: readonly { id: string }[]): Readiness {
  return notReady(
    `the caBundle of ${idsOf(configurations)} does not contain the authority of the certificate being served`,
  )
}

export function notReady(reason: string): Readiness {
  return { ready: false, reason }
}

const idsOf = (configurations: readonly { id: string }[]): string => configurations.map(({ id }) => id).join(', ')
