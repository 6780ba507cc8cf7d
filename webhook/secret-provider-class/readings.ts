import { setImmediate } from 'node:timers/promises'
import { readClass, type ClassReading } from './read-class.ts'
import type { FoundClass } from './resolve-classes.ts'

/** Objects and sentences of all readings that are kept; some hundred bytes each. */
const mostKept = 10_000

/** What was read of classes, kept by uid and resource version: a class is that of many pods. */
export class ClassReadings {
  readonly #known = new Map<string, ClassReading>()
  #kept = 0

  /** The same classes with what they say. A class that is not known yet is read on a turn of its own of the event loop. */
  async read(classes: ReadonlyMap<string, FoundClass>): Promise<Map<string, FoundClass>> {
    const read = new Map<string, FoundClass>()
    for (const [name, found] of classes) {
      if (typeof found === 'string') {
        read.set(name, found)
        continue
      }
      const known = found.version === undefined ? undefined : this.#known.get(found.version)
      if (known === undefined) await setImmediate()
      const reading = known ?? readClass(name, found.spec)
      if (found.version !== undefined) this.#keep(found.version, reading)
      read.set(name, { ...found, reading })
    }
    return read
  }

  #keep(version: string, reading: ClassReading): void {
    if (!this.#known.delete(version)) this.#kept += weightOf(reading)
    this.#known.set(version, reading)
    for (const [oldest, old] of this.#known) {
      if (this.#kept <= mostKept) break
      this.#known.delete(oldest)
      this.#kept -= weightOf(old)
    }
  }
}

const weightOf = ({ objects = [], problems, warnings }: ClassReading): number =>
  1 + objects.length + problems.length + warnings.length
