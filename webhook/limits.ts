/** What the webhook rejects or leaves out to bound its memory: the values of the label `limit` of `akv_injector_limited_total`. */
export const limits = {
  connections: 'A connection was closed because too many were open: an idle one in favor of a new one, or the new one.',
  pipelining: 'A connection was closed because its client sent a request before the last one was answered.',
  'body-size': 'A request body was larger than 8 MiB or had no Content-Length.',
  'body-encoding': 'A request body was compressed.',
  'body-values': 'A request body held more than 200,000 JSON values, or lists and objects nested more than 2,000 deep.',
  'body-memory': 'A request was rejected or aborted because the bodies in progress take too much memory.',
  'cached-object': 'An object of the cluster was too large for the cache; it is read each time a review needs it.',
  'cached-objects':
    'An object of the cluster was not cached because its namespace or the cluster has too many; it is read each time a review needs it.',
  'look-ups':
    'An object was not read because too many reads of the API server were waiting, or because the pod names more than 32 objects that have to be read.',
  audit:
    'A pod without a sidecar got no Event, or a Namespace was left out of the audit, because there are too many: more than 50 such pods in a namespace, 10,000 in the cluster, or 20,000 Namespaces.',
  log: 'A log line was dropped because standard output did not accept more.',
} as const
export type Limit = keyof typeof limits
/** Called each time a limit takes effect. */
export type OnLimited = (limit: Limit) => void
