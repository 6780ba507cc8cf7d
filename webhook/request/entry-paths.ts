/**
 * The path that each entry of the webhook configurations calls, by the kind of the configuration and the first label of the entry's name, as
 * in `inject.azure.keyvault.injector`. With a self-managed certificate, a segment that cannot be guessed precedes it.
 */
const paths: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  MutatingWebhookConfiguration: {
    copy: '/copy',
    'copy-guard': '/copy-guard',
    inject: '/mutate',
    standby: '/standby',
    report: '/report',
    env: '/env',
    'env-standby': '/env-standby',
  },
  ValidatingWebhookConfiguration: { guard: '/guard', validate: '/validate', report: '/report/validate' },
}

/** Returns the path of an entry without the segment; undefined for an entry that is not the injector's. */
export function entryPath(kind: string, name: string): string | undefined {
  const [label = ''] = name.split('.', 1)
  const of = paths[kind] ?? {}
  return Object.hasOwn(of, label) ? of[label] : undefined
}
