import type { Test } from 'tap'
import type { CoordinatorEvent } from '../../../shared/coordination/events.ts'
import type { VaultFailure } from '../../../shared/vault/store.ts'
import type { Listener } from '../../../coordinator/watch/subscription.ts'
import { Watcher } from '../../../coordinator/watch/watcher.ts'
import { settled, VirtualClock } from '../../support/clock.ts'
import { FakeVault } from '../../support/fake-vault.ts'

export const vaultUrl = 'https://my-kv.vault.emulator.example'

/** A sidecar as the watcher sees it: what it was told, and when. */
export class Told implements Listener {
  readonly namespace: string
  readonly events: (CoordinatorEvent & { at: number })[] = []
  readonly #clock: VirtualClock

  constructor(clock: VirtualClock, namespace = 'shop') {
    this.#clock = clock
    this.namespace = namespace
  }

  send = (event: CoordinatorEvent): void => void this.events.push({ ...event, at: this.#clock.elapsed() })

  of<Name extends CoordinatorEvent['name']>(name: Name) {
    return this.events.filter((event) => event.name === name) as (CoordinatorEvent & { name: Name; at: number })[]
  }

  /** The names that it was told are watched. */
  get covered(): string[] {
    const names = new Set<string>()
    for (const { isCovered, objects } of this.of('coverage')) {
      for (const { name } of objects) {
        if (isCovered) names.add(name)
        else names.delete(name)
      }
    }
    return [...names].sort()
  }
}

/** A watcher in virtual time with a vault in memory that has been there for a day. */
export async function watcherScene(t: Test, { isAllowed = (_namespace: string, _url: string): boolean => true } = {}) {
  const clock = new VirtualClock()
  const vault = new FakeVault({ now: clock.trueTime, wait: clock.wait })
  const failures: VaultFailure[] = []
  /** URLs of the vaults that are open, and of all that were opened. */
  const [open, opened] = [new Set<string>(), [] as string[]]
  const watcher = new Watcher({
    ...{ clock, isAllowed },
    vault(url) {
      open.add(url)
      opened.push(url)
      return {
        list: (...args) => vault.list(...args),
        versions: (...args) => vault.versions(...args),
        close: () => void open.delete(url),
      }
    },
    watchInterval: () => 15_000,
    hintRate: () => 300,
    onFailure: (_url, failure) => void failures.push(failure),
  })
  t.teardown(() => watcher.close())
  const advance = (milliseconds: number): Promise<void> =>
    clock.advance(milliseconds, () => settled(() => vault.inFlight === vault.hanging))
  const object = (name: string, version: string) => ({ vault: vaultUrl, type: 'secret' as const, name, version })
  return {
    ...{ clock, vault, watcher, failures, open, opened, advance, object },
    told: (namespace?: string) => new Told(clock, namespace),
  }
}
