/** The webhook configurations of the model's API server. Every change has a number, which is also the resource version. */
import type { ClusterConfiguration } from '../../certs/store.ts'

export type LiveWebhook = ClusterConfiguration['webhooks'][number]

export function newConfiguration(change: number, id: string): ClusterConfiguration {
  const webhooks = ['enabled', 'report'].map((name) => ({ name, caBundle: '', segment: undefined, path: `/${name}` }))
  return { id, uid: String(change), resourceVersion: String(change), generation: 1, webhooks }
}

/** Returns the configuration with edits to each of its webhooks, or to the one with the number `only`. */
export function changed(
  change: number,
  configuration: ClusterConfiguration,
  edit: (webhook: LiveWebhook) => Partial<LiveWebhook>,
  only?: number,
): ClusterConfiguration {
  return {
    ...configuration,
    resourceVersion: String(change),
    generation: configuration.generation + 1,
    webhooks: configuration.webhooks.map((webhook, index) =>
      index === (only ?? index) ? { ...webhook, ...edit(webhook) } : webhook,
    ),
  }
}
