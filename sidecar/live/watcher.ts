import type { Settings } from '../../shared/settings/codec.ts'
import { initialValues, interpretLive, liveNames, type LiveTexts, type LiveValues } from './annotations.ts'

/** What a check of the live annotations found. */
export interface LiveChange {
  /** Problems that the previous check did not find. */
  problems: string[]
  /** A poll is requested. */
  isRefreshed: boolean
  /** The times at which polls are due changed. */
  isRescheduled: boolean
}

/** Follows the annotations of the running pod. */
export class LiveWatcher {
  values: LiveValues
  readonly #settings: Settings
  readonly #read: () => LiveTexts
  #texts: LiveTexts
  #problems: readonly string[] = []

  /** @param read returns the annotations' current texts; those at the start do not request a poll */
  constructor(settings: Settings, read: () => LiveTexts) {
    this.#settings = settings
    this.#read = read
    this.#texts = read()
    this.values = initialValues(settings)
  }

  /** Applies the annotations at the start. @returns their problems */
  begin(): string[] {
    const { values, problems } = interpretLive(this.#texts, this.values, this.#settings)
    this.values = values
    this.#problems = problems
    return problems
  }

  /** Reads the annotations again; undefined if nothing changed. */
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
