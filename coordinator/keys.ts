import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import type { Clock } from '../shared/clock.ts'

/** The keys with which a cluster signs ServiceAccount tokens, and the issuer that it names in them. */
export interface ClusterKeys {
  issuer: string
  jwks: JSONWebKeySet
}

/** The keys as they were read last. */
export interface KeySource {
  current(): Promise<ClusterKeys>
  /** Reads the keys again, unless that was done within the last 10 s; returns whether they were read. */
  renew(): Promise<boolean>
}

/** Keys rotate seldom, and any client can name an unknown key. */
const spacingMs = 10_000
/** Between two attempts before the first success. */
const retryMs = 1_000

/** Creates a source that reads the keys at first use and whenever a token names a key that is not among them. */
export function createKeySource(read: () => Promise<ClusterKeys>, clock: Pick<Clock, 'elapsed'>): KeySource {
  let current: ClusterKeys | undefined
  let reading: Promise<void> | undefined
  let readAt = -Infinity

  const update = (): Promise<void> => {
    readAt = clock.elapsed()
    reading ??= read()
      .then((keys) => {
        // Throws for anything that is no key set, which must not replace one that is.
        createLocalJWKSet(keys.jwks)
        current = keys
      })
      .finally(() => (reading = undefined))
    return reading
  }
  return {
    async current() {
      if (current === undefined && !reading && clock.elapsed() < readAt + retryMs)
        throw new Error("the cluster's keys could not be read a moment ago")
      if (current === undefined) await (reading ?? update())
      return current as ClusterKeys
    },
    async renew() {
      if (clock.elapsed() < readAt + spacingMs) return false
      await update()
      return true
    },
  }
}
