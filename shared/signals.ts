/** The signals an app may be sent: those that servers reload or stop on. */
export const signals = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTERM', 'SIGINT', 'SIGQUIT'] as const
export type SignalName = (typeof signals)[number]
