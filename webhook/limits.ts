/**
 * Why something was refused or left out so that memory stays bounded, by the value of the label `limit` of
 * `akv_injector_limited_total`.
 */
export const limits = {
  connections: 'A connection was closed because too many were open: an idle one in favor of a new one, or the new one.',
  'body-size': 'A request body was larger than 8 MiB or had no Content-Length.',
  'body-encoding': 'A request body was compressed.',
  'body-values': 'A request body held more than 500,000 JSON values, or lists and objects nested more than 2,000 deep.',
  'body-memory': 'A request was refused or aborted because the bodies in progress take too much memory.',
  'cached-object': 'An object of the cluster was too large to be cached; it is read whenever a review needs it.',
  'cached-objects': 'An object of the cluster was not cached because its namespace or the cluster has too many; it is read whenever a review needs it.', // prettier-ignore
  'look-ups':
    'An object was not read because too many reads of the API server were waiting, or the pod names more than 32 objects that have to be read.',
  log: 'A log line was dropped because standard output took no more.',
} as const
export type Limit = keyof typeof limits
/** Called each time a limit takes effect. */
export type OnLimited = (limit: Limit) => void
