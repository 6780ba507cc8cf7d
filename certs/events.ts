import type { Action } from './rotation.ts'

/** What happened, for log and metrics. Never contains a key or a certificate. */
export type CertificateEvent =
  | { type: 'step'; step: Exclude<Action['type'], 'serve'>; detail: string }
  | { type: 'serving'; certificate: string; notAfter: number }
  | { type: 'conflict'; step: Action['type'] }
  /** `refused`: a certificate and key that cannot be served; what was served before still is */
  | { type: 'refused'; error: unknown }
  | { type: 'failed'; step: Action['type'] | 'read'; error: unknown }

/** Pino's loggers have this shape. */
export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What to call with each event: it is logged, and then given to `onEvent`, whose failure is no reason to stop. */
export function teller(log: Log, onEvent?: (event: CertificateEvent) => void): (event: CertificateEvent) => void {
  return (event) => {
    logEvent(log, event)
    try {
      onEvent?.(event)
    } catch (error) {
      log.error({ error: reason(error) }, 'webhook certificate: what was to be told of an event failed')
    }
  }
}

/** Writes the event as one line of log. */
function logEvent(log: Log, event: CertificateEvent): void {
  switch (event.type) {
    case 'step':
      return log.info({ step: event.step }, `webhook certificate: ${event.detail}`)
    case 'serving':
      return log.info(
        { certificate: event.certificate, notAfter: new Date(event.notAfter).toISOString() },
        'webhook certificate: serving another certificate to new connections',
      )
    case 'conflict':
      return log.info({ step: event.step }, 'webhook certificate: something changed in the meantime, reading again')
    case 'refused':
      return log.error(
        { error: reason(event.error) },
        'webhook certificate: the new certificate and key cannot be served; the previous certificate stays',
      )
    case 'failed':
      return log.warn({ step: event.step, error: reason(event.error) }, 'webhook certificate: failed, trying again')
  }
}

/** An error in one line, with what caused it: fetch says no more than "fetch failed". */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reason(error.cause)}`
}
