import { maxHalts, maxTurnVersions } from '../../shared/coordination/limits.ts'
import type { Halt } from '../../shared/coordination/turns.ts'

/** Versions that are remembered as good; beyond them, the next pod with an older one is alone again. */
const mostProven = 1_000

/** What a group knows about versions: with which of them a pod came up, and with which one failed. */
export class Halts {
  readonly #proven = new Set<string>()
  #halts: Halt[] = []

  /** The newest {@link maxHalts}, with no more than {@link maxTurnVersions} versions together. */
  get list(): readonly Halt[] {
    return this.#halts
  }

  /** Whether a pod came up with each of the versions. */
  areProven = (versions: readonly string[]): boolean => versions.every((version) => this.#proven.has(version))

  /** Why no pod may switch to a set with these versions; undefined if any may. */
  reason(versions: readonly string[]): string | undefined {
    return this.#halts.find((halt) => halt.versions.some((version) => versions.includes(version)))?.reason
  }

  /** A pod came up with the versions: they are good, and what was halted because of them goes on. */
  prove(versions: readonly string[]): void {
    for (const version of versions) {
      this.#proven.delete(version)
      this.#proven.add(version)
    }
    for (const version of this.#proven) {
      if (this.#proven.size <= mostProven) break
      this.#proven.delete(version)
    }
    this.#halts = this.#halts
      .map((halt) => ({ ...halt, versions: halt.versions.filter((version) => !versions.includes(version)) }))
      .filter((halt) => halt.versions.length > 0)
  }

  /** It is not known any more whether the versions are good. */
  doubt(versions: readonly string[]): void {
    for (const version of versions) this.#proven.delete(version)
  }

  /** A pod failed with the versions. */
  halt(halt: Halt): void {
    this.doubt(halt.versions)
    this.#add(halt)
  }

  /** Takes over what a sidecar knows, unless it is outdated: the version has been proven since. */
  learn({ versions, reason }: Halt): void {
    this.#add({ reason, versions: versions.filter((version) => !this.#proven.has(version)) })
  }

  #add({ versions, reason }: Halt): void {
    const known = new Set(this.#halts.flatMap((halt) => halt.versions))
    const added = versions.filter((version) => !known.has(version))
    if (added.length === 0) return
    this.#halts = [...this.#halts, { versions: added, reason }].slice(-maxHalts)
    const isTooMany = () => this.#halts.reduce((sum, halt) => sum + halt.versions.length, 0) > maxTurnVersions
    while (isTooMany()) this.#halts.shift()
  }
}
