import { setTimeout as sleep } from 'node:timers/promises'

/** What a step has to say in its line, beside its name. */
export type Say = (text: string) => void
/** A step that failed; `cause` says why. */
export class StepFailure extends Error {
  readonly step: string
  constructor(step: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.step = step
  }
}

export interface StepOptions {
  write?: (line: string) => void
  /** Milliseconds. */
  now?: () => number
  /** Ends the step at hand and with it the story; its reason becomes the step's. */
  signal: AbortSignal
}

/** Runs one step: a line with its number, time, name and what it said; throws a {@link StepFailure}. */
export type Step = <T>(name: string, run: (say: Say) => T | Promise<T>) => Promise<T>

/** Numbers and times the steps of a story, whose lines come as each ends. */
export function createSteps({
  write = console.log,
  now = performance.now.bind(performance),
  signal,
}: StepOptions): Step {
  let number = 0
  const stopped = aborted(signal)
  // A stop between two steps is the next one's.
  stopped.catch(() => {})
  return async (name, run) => {
    const start = now()
    const said: string[] = []
    const line = (mark: string, texts: string[]) =>
      write(`${mark} ${String(++number).padStart(2)}  ${seconds(now() - start)}  ${[name, ...texts].join(': ')}`)
    try {
      const value = await Promise.race([stopped, run((text) => void said.push(text))])
      line('ok  ', said.length > 0 ? [said.join(', ')] : [])
      return value
    } catch (error) {
      const failure = new StepFailure(name, error)
      line('FAIL', [failure.message])
      throw failure
    }
  }
}

const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2).padStart(5)} s`

/** Rejects with the signal's reason, and never resolves. */
function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = () => reject(signal.reason as Error)
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  return promise
}

/**
 * Asks until there is an answer other than undefined.
 * @param what for the error once the time (milliseconds) is over
 */
export async function until<T>(
  what: string,
  timeout: number,
  ask: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const end = performance.now() + timeout
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > end) throw new Error(`no ${what} within ${timeout / 1000} s`)
    await sleep(20)
  }
}
