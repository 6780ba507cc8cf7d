import type { Settings } from '../shared/settings.ts'
import { initialValues, interpretLive, liveNames, type LiveTexts, type LiveValues } from './live.ts'

/** What a look at the pod's annotations found. */
export interface LiveChange {
  /** Those that were not there at the look before. */
  problems: string[]
  /** A poll is asked for. */
  isRefreshed: boolean
  /** When polls are due changed. */
  isRescheduled: boolean
}

/** Follows the annotations of the running pod. */
export class LiveControl {
  values: LiveValues
  readonly #settings: Settings
  readonly #read: () => LiveTexts
  #texts: LiveTexts
  #problems: readonly string[] = []

  /** @param read gives the annotations' texts as they are now; those at the start ask for no poll */
  constructor(settings: Settings, read: () => LiveTexts) {
    this.#settings = settings
    this.#read = read
    this.#texts = read()
    this.values = initialValues(settings)
  }

  /** Takes over what the annotations say at the start. @returns what is wrong with them */
  begin(): string[] {
    const { values, problems } = interpretLive(this.#texts, this.values, this.#settings)
    this.values = values
    this.#problems = problems
    return problems
  }

  /** Looks again; undefined where nothing changed. */
  check(): LiveChange | undefined {
    const texts = this.#read()
    if (liveNames.every((name) => texts[name] === this.#texts[name])) return undefined
    const isRefreshed = texts.refresh !== this.#texts.refresh && texts.refresh !== ''
    const { pollInterval, suspend } = this.values
    this.#texts = texts
    const known = this.#problems
    const problems = this.begin().filter((problem) => !known.includes(problem))
    const isRescheduled = this.values.pollInterval !== pollInterval || this.values.suspend !== suspend
    return { problems, isRefreshed, isRescheduled }
  }
}
