/** A line of `kubectl logs --timestamps`. */
export interface LogLine {
  /** When the node's container runtime read it, in milliseconds since 1970. */
  at: number
  text: string
}

/** @throws if a line has no time */
export function logLines(log: string): LogLine[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const space = line.indexOf(' ')
      const at = Date.parse(line.slice(0, space))
      if (Number.isNaN(at)) throw new Error(`a line of a log without a time: ${line}`)
      // Dates have milliseconds, the runtime's times nanoseconds.
      const fraction = /\.\d{3}(\d+)Z?/.exec(line.slice(0, space))?.[1] ?? '0'
      return { at: at + Number(`0.${fraction}`), text: line.slice(space + 1) }
    })
}

/** When a pod was requested and created, and its first log line, in milliseconds since 1970. */
export interface PlainTimes {
  asked: number
  created: number
  app: number
}

export interface InjectedTimes extends PlainTimes {
  sidecar: readonly LogLine[]
}

/** The parts of an injected pod's start, in seconds; together they last from `asked` to `app`. */
export interface Split {
  admission: number
  /** The sidecar's container, until its first line. */
  container: number
  signIn: number
  /** Reading the objects and writing the first set. */
  fetch: number
  /** The kubelet's probe, and the start of the app's container. */
  probe: number
}

/** @throws if the log lacks the start, a sign-in or the first set */
export function split({ asked, created, app, sidecar }: InjectedTimes): Split {
  const events = sidecar.map(({ at, text }) => ({
    at,
    ...(JSON.parse(text) as { event?: string; first?: boolean; durationMs?: number }),
  }))
  const started = events.find(({ event }) => event === 'started')
  const switched = events.find(({ event, first }) => event === 'switched' && first)
  const signedIn = events.find(({ event }) => event === 'sign-in')
  if (!started || !switched || signedIn?.durationMs === undefined)
    throw new Error(`the sidecar's log does not tell of its start:\n${sidecar.map(({ text }) => text).join('\n')}`)
  const signIn = signedIn.durationMs / 1000
  return {
    admission: (created - asked) / 1000,
    container: (started.at - created) / 1000,
    signIn,
    fetch: (switched.at - started.at) / 1000 - signIn,
    probe: (app - switched.at) / 1000,
  }
}
