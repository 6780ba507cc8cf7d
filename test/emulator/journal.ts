import { matches } from './glob.ts'

/** One request as the emulator saw it. Never a value, never a token. */
export interface Entry {
  /** Milliseconds on the emulator's clock. */
  time: number
  /** `secrets.get`, ..., `token`, `openid`, `instance`, `unknown`; `challenge` for a vault request without a token. */
  operation: string
  vault?: string
  object?: string
  version?: string
  /** What was answered; 0 if the connection was left hanging or was reset. */
  status: number
  /** Client id of the caller, where it is known. */
  client?: string
}

export interface EntryMatch {
  operation?: string
  vault?: string
  object?: string
  client?: string
  status?: number
}

/** What was asked: counts of everything, and the last requests in detail. */
export class Journal {
  #entries: Entry[] = []
  #counts = new Map<string, number>()
  #listeners = new Set<(entry: Entry) => void>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  add(entry: Entry): void {
    this.#entries.push(entry)
    if (this.#entries.length > this.#limit) this.#entries.splice(0, this.#entries.length - this.#limit)
    const key = countKey(entry.operation, entry.vault)
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    for (const listener of this.#listeners) listener(entry)
  }

  /** Requests since the last reset by operation: in one vault, or in all of them and the token endpoint. */
  counts(vault?: string): Record<string, number> {
    const sums: Record<string, number> = {}
    for (const [key, count] of this.#counts) {
      const [operation = '', of] = key.split(' ')
      if (vault === undefined || of === vault.toLowerCase()) sums[operation] = (sums[operation] ?? 0) + count
    }
    return sums
  }

  /** How many requests there were whose operation matches the pattern (`secrets.*`), in one vault or in all. */
  count(operation: string, vault?: string): number {
    return Object.entries(this.counts(vault)).reduce((sum, [one, n]) => sum + (matches(operation, one) ? n : 0), 0)
  }

  /** The last requests (the newest 10,000 by default) that match, oldest first. */
  entries(match: EntryMatch = {}): Entry[] {
    return this.#entries.filter((entry) => entryMatches(match, entry))
  }

  reset(): void {
    this.#entries = []
    this.#counts.clear()
  }

  /** Calls `listener` for each request from now on; what it returns stops that. */
  subscribe(listener: (entry: Entry) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves with the next request from now on that matches; rejects when `signal` aborts. */
  next(match: EntryMatch = {}, signal: AbortSignal = AbortSignal.timeout(10_000)): Promise<Entry> {
    const { promise, resolve, reject } = Promise.withResolvers<Entry>()
    const stop = this.subscribe((entry) => entryMatches(match, entry) && resolve(entry))
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    return promise.finally(stop)
  }
}

const countKey = (operation: string, vault?: string) => `${operation} ${vault ?? ''}`

const entryMatches = (match: EntryMatch, entry: Entry) =>
  matches(match.operation, entry.operation) &&
  matches(match.vault, entry.vault) &&
  matches(match.object, entry.object) &&
  matches(match.client, entry.client) &&
  (match.status === undefined || match.status === entry.status)
