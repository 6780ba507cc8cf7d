/** The text of a step's line after its name. */
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
  /** Ends the current step and with it the scenario; its reason becomes the step's. */
  signal: AbortSignal
}

/** Runs one step: prints a line with its number, time, name and text; throws a {@link StepFailure}. */
export type Step = <T>(name: string, run: (say: Say) => T | Promise<T>) => Promise<T>

/** Numbers and times the steps of a scenario and prints a line at the end of each. */
export function createSteps({
  write = console.log,
  now = performance.now.bind(performance),
  signal,
}: StepOptions): Step {
  let number = 0
  const stopped = aborted(signal)
  // A stop between two steps ends the next one.
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
