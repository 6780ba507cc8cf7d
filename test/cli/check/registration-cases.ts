import { encode } from '../../../shared/kubernetes/responses.ts'
import type { Webhook } from '../../manifests/manifest-fields.ts'
import type { FakeCluster } from './cluster.ts'

/** Something that is broken, and how `check` reports it. */
export interface Case {
  what: string
  breaks: (cluster: FakeCluster) => void
  /** The findings that are not OK, in order. */
  finds: RegExp[]
  /** Matches what the first of them says is to be done. */
  remedy: RegExp
  flags?: string[]
  code?: number
}

const webhooksOf = (cluster: FakeCluster, kind: string, name: string): Webhook[] =>
  cluster.find(kind, name)['webhooks'] as Webhook[]
const entry = (cluster: FakeCluster, label: string): Webhook => {
  const found = cluster.objects
    .flatMap((one) => (one['webhooks'] ?? []) as Webhook[])
    .find(({ name }) => name.startsWith(`${label}.`))
  if (found === undefined) throw new Error(`there is no entry ${label}`)
  return found
}

/** Broken registrations and certificates. */
export const registrationCases: Case[] = [
  {
    what: 'a missing caBundle',
    breaks: (cluster) => delete entry(cluster, 'inject').clientConfig.caBundle,
    finds: [/^FAIL registrations: MutatingWebhookConfiguration akv-injector, entry inject: has no caBundle/],
    remedy: /kubectl logs/,
  },
  {
    what: 'a caBundle of another authority',
    breaks: (cluster) => (entry(cluster, 'guard').clientConfig.caBundle = encode('nothing')),
    finds: [/^FAIL certificate: ValidatingWebhookConfiguration akv-injector, entry guard: caBundle does not verify/],
    remedy: /kubectl logs/,
  },
  {
    what: 'a missing guard',
    breaks: (cluster) => webhooksOf(cluster, 'ValidatingWebhookConfiguration', 'akv-injector').shift(),
    finds: [/^FAIL registrations: ValidatingWebhookConfiguration, entry guard: is missing: pods .* without/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'a missing configuration',
    breaks: (cluster) => cluster.remove('MutatingWebhookConfiguration', 'zz-akv-injector-env'),
    finds: [/^FAIL registrations: MutatingWebhookConfiguration zz-akv-injector-env: does not exist/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'a guard that ignores failures',
    breaks: (cluster) => (entry(cluster, 'guard').failurePolicy = 'Ignore'),
    finds: [/^FAIL registrations: .*entry guard: has failurePolicy Ignore instead of Fail/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'an entry that fails closed',
    breaks: (cluster) => (entry(cluster, 'inject').failurePolicy = 'Fail'),
    finds: [/^WARN registrations: .*entry inject: has failurePolicy Fail instead of Ignore/],
    remedy: /kubectl apply -k/,
    code: 0,
  },
  {
    what: 'a Service in another namespace',
    breaks: (cluster) => (entry(cluster, 'copy').clientConfig.service.namespace = 'old'),
    finds: [/entry copy: calls old\/akv-injector-standby instead of the Service akv-injector-system\/akv-/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'a path without its segment',
    breaks: (cluster) => (entry(cluster, 'env').clientConfig.service.path = '/env'),
    finds: [/entry env: has no secret segment/],
    remedy: /kubectl logs/,
  },
  {
    what: 'the path of another entry',
    breaks: (cluster) => (entry(cluster, 'env').clientConfig.service.path = `/${'0'.repeat(32)}/mutate`),
    finds: [/entry env: calls another path than \/env/],
    remedy: /kubectl apply -k/,
  },
  {
    what: 'a damaged certificate',
    breaks: (cluster) => (cluster.find('Secret', 'akv-injector-certificates')['data'] = {}),
    finds: [/^FAIL certificate: Secret .*: contains no certificate/],
    remedy: /kubectl logs/,
  },
]
