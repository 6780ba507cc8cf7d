/** Limits of the texts of all classes that are followed, and of those of one namespace, in UTF-16 units. What is kept of a class takes several times as much memory. */
const limits = { total: 8 * 1024 * 1024, perNamespace: 1024 * 1024 }

/** What the classes that are followed may take of the memory, so that no namespace takes that of the others. */
export class SizeBudget {
  readonly #limits: typeof limits
  readonly #sizes = new Map<string, Map<string, number>>()

  constructor(most = limits) {
    this.#limits = most
  }

  /** Returns why a class of this size may not be followed; undefined if it may, and then its size counts until {@link release}. */
  claim(namespace: string, name: string, size: number): string | undefined {
    this.release(namespace, name)
    const own = this.#sizes.get(namespace) ?? new Map<string, number>()
    const { total, perNamespace } = this.#limits
    if (sumOf(own) + size > perNamespace)
      return `the classes of the namespace that request Secrets have more than ${perNamespace / 1024} KiB together: shorten them`
    const all = [...this.#sizes.values()].reduce((sum, sizes) => sum + sumOf(sizes), 0)
    if (all + size > total) return `all classes that request Secrets have more than ${total / 1024} KiB together`
    this.#sizes.set(namespace, own.set(name, size))
    return undefined
  }

  release(namespace: string, name: string): void {
    const own = this.#sizes.get(namespace)
    own?.delete(name)
    if (own?.size === 0) this.#sizes.delete(namespace)
  }
}

const sumOf = (sizes: ReadonlyMap<string, number>): number => sizes.values().reduce((sum, size) => sum + size, 0)
