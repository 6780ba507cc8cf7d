/**
 * The path that each entry of the registrations calls, by the kind of the configuration and the first label of the entry's name, as
 * in `inject.azure.keyvault.injector`. With a certificate of the webhook's own, a segment that cannot be guessed stands before it.
 */
const paths: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  MutatingWebhookConfiguration: { copy: '/copy', inject: '/mutate', standby: '/standby', report: '/report' },
  ValidatingWebhookConfiguration: { guard: '/guard', validate: '/validate', report: '/report/validate' },
}

/** The own path of an entry; undefined for one that is not among ours. */
export function entryPath(kind: string, name: string): string | undefined {
  const [label = ''] = name.split('.', 1)
  const of = paths[kind] ?? {}
  return Object.hasOwn(of, label) ? of[label] : undefined
}
