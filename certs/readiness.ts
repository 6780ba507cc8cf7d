import { reason } from './events.ts'
import { isTrusted, isValid, type Observed } from './rotation.ts'

export interface Readiness {
  ready: boolean
  /** why not, for a person; absent when ready */
  reason?: string
}

/** Ready while a valid certificate is served whose authority is in the caBundle of every webhook of ours. */
export function readiness(
  { serving, configurations, trouble }: Pick<Observed, 'serving' | 'configurations'> & { trouble?: unknown },
  now: number,
): Readiness {
  if (!serving) return notReady(`no certificate is served yet${trouble === undefined ? '' : `: ${reason(trouble)}`}`)
  if (!isValid(serving, now)) return notReady('the certificate being served is not valid now')
  if (configurations.length === 0) return notReady('no webhook configuration with a webhook of ours exists')
  const distrusting = configurations.filter((configuration) => !isTrusted(serving.authority, [configuration]))
  return distrusting.length === 0 ? { ready: true } : notTrusted(distrusting)
}

/** Callers would reject the certificate being served. */
export function notTrusted(configurations: readonly { id: string }[]): Readiness {
  const names = configurations.map(({ id }) => id).join(', ')
  return notReady(`the caBundle of ${names} does not contain the authority of the certificate being served`)
}

export function notReady(reason: string): Readiness {
  return { ready: false, reason }
}
