/**
 * The signals that can notify an app: those on which servers reload or stop. `terminates` says whether apps exit on it
 * by convention.
 * {@link https://man7.org/linux/man-pages/man7/signal.7.html}
 */
export const signals = {
  SIGHUP: { terminates: false },
  SIGUSR1: { terminates: false },
  SIGUSR2: { terminates: false },
  SIGTERM: { terminates: true },
  SIGINT: { terminates: true },
  SIGQUIT: { terminates: true },
} as const
export type SignalName = keyof typeof signals
export const signalNames = Object.keys(signals) as SignalName[]
