/** The Secret as far as the certificates are concerned. */
export interface ClusterSecret {
  resourceVersion: string
  /** decoded from base64, as UTF-8 */
  data: Readonly<Record<string, string>>
}

/** A webhook configuration with those of its webhooks that call the injector's Services. */
export interface ClusterConfiguration {
  /** kind and name, as in `MutatingWebhookConfiguration akv-injector` */
  id: string
  uid: string
  resourceVersion: string
  generation: number
  /** `caBundle` is PEM, empty if there is none; `segment` is what the path begins with; `path` is the rest, the webhook's own */
  webhooks: readonly { name: string; caBundle: string; segment: string | undefined; path: string }[]
}

export interface ClusterView {
  /** absent when it does not exist */
  secret?: ClusterSecret | undefined
  /** those that exist and have webhooks of the injector */
  configurations: readonly ClusterConfiguration[]
}

/** The authorities that callers of the webhook trust. */
export interface CaBundles {
  /** Reads what is there now, not a cache. */
  read(): Promise<readonly ClusterConfiguration[]>
  /**
   * Sets the caBundle (PEM) of the injector's webhooks, and the segment of their paths by name. Resolves to false if the configuration changed
   * since it was read.
   */
  write(read: ClusterConfiguration, caBundle: string, segments: Readonly<Record<string, string>>): Promise<boolean>
  /** Calls back whenever something may have changed, until the returned function is called. */
  watch(changed: () => void): () => void
}

/**
 * The Kubernetes side of the certificates. Rejections may be solved by a retry; their messages are for the log.
 *
 * Writes resolve to false on a conflict: the object changed since it was read, so read and decide again.
 */
export interface ClusterCertificates {
  /** Reads what is there now, not a cache. */
  read(): Promise<ClusterView>
  /** Sets these keys of the Secret and keeps everything else in it. */
  writeSecret(read: ClusterSecret, data: Readonly<Record<string, string>>): Promise<boolean>
  /** See {@link CaBundles}. */
  writeBundle: CaBundles['write']
  /** Calls back whenever something may have changed, until the returned function is called. May call back too often or, rarely, not at all. */
  watch(changed: () => void): () => void
}
