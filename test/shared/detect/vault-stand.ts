import { readVault, type KnownSources } from '../../../shared/detect/read-vault.ts'
import { sourcesOf } from '../../../shared/detect/sources.ts'
import type { Vault } from '../../../shared/vault/store.ts'
import { FakeVault } from '../../support/fake-vault.ts'

/** A vault of which nothing was read yet, an hour after its objects changed last. */
export function stand(objects: Parameters<typeof sourcesOf>[0], before: Partial<KnownSources> = {}) {
  let now = 1_000_000_000
  const fake = new FakeVault({ now: () => now, wait: () => Promise.resolve() })
  for (const { name } of objects) fake.set(name, `${name}-1`)
  now += 3_600_000
  const vault: Vault = {
    list: (type, signal) => fake.list(type, signal),
    get: (type, name, version, signal) => fake.get(type, name, version, signal),
    versions: (type, name, signal) => fake.versions(type, name, signal),
  }
  const sources = sourcesOf(objects)
  const unknown: KnownSources = {
    known: () => undefined,
    contents: () => undefined,
    listing: () => ({}),
    isFailing: () => false,
    ...before,
  }
  const { signal } = new AbortController()
  const poll = () =>
    readVault(sources, unknown, { vault: () => vault, abort: signal, clock: { now: () => now, elapsed: () => now } })
  return { fake, vault, sources, poll, later: (milliseconds: number) => (now += milliseconds) }
}
