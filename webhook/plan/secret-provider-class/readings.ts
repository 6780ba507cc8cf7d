import { finishInTurns } from '../../../shared/steps.ts'
import { classSteps, type ClassReading } from './read-class.ts'
import type { FoundClass } from './found-class.ts'

/** What is kept of all classes. */
const bounds = {
  /** Objects and sentences. */
  entries: 10_000,
  /** Bytes, as estimated: a part of a text keeps the whole text in memory, so that of the class counts. */
  bytes: 16e6,
}
const bytesPerEntry = 300

interface Kept {
  reading: ClassReading
  entries: number
  bytes: number
}

/** Parsed classes, kept by uid and resource version, because many pods use the same class. */
export class ClassReadings {
  readonly #known = new Map<string, Kept>()
  readonly #most: typeof bounds
  #entries = 0
  #bytes = 0

  constructor(most = bounds) {
    this.#most = most
  }

  /** Returns the classes with their readings. A class that is not known yet is read in turns of its own of the event loop. */
  async read(classes: ReadonlyMap<string, FoundClass>): Promise<Map<string, FoundClass>> {
    const read = new Map<string, FoundClass>()
    for (const [name, found] of classes) {
      if (typeof found === 'string') {
        read.set(name, found)
        continue
      }
      read.set(name, { ...found, reading: await this.#reading(name, found) })
    }
    return read
  }

  async #reading(name: string, { version, spec }: Exclude<FoundClass, string>): Promise<ClassReading> {
    const known = version === undefined ? undefined : this.#known.get(version)
    const reading = known?.reading ?? (await finishInTurns(classSteps(name, spec)))
    if (version !== undefined) this.#keep(version, known ?? measured(reading, spec))
    return reading
  }

  /** Keeps the classes that were used last. */
  #keep(version: string, kept: Kept): void {
    this.#remove(version)
    this.#known.set(version, kept)
    this.#entries += kept.entries
    this.#bytes += kept.bytes
    for (const oldest of this.#known.keys()) {
      if (this.#entries <= this.#most.entries && this.#bytes <= this.#most.bytes) break
      this.#remove(oldest)
    }
  }

  #remove(version: string): void {
    const kept = this.#known.get(version)
    if (kept === undefined) return
    this.#known.delete(version)
    this.#entries -= kept.entries
    this.#bytes -= kept.bytes
  }
}

function measured(reading: ClassReading, spec: unknown): Kept {
  const { objects = [], problems, warnings } = reading
  const entries = 1 + objects.length + problems.length + warnings.length
  const sentences = [...problems, ...warnings].reduce((sum, { length }) => sum + length, 0)
  const text = JSON.stringify(spec ?? null).length
  return { reading, entries, bytes: text + sentences + entries * bytesPerEntry }
}
