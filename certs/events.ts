import { messageOf } from '../shared/errors.ts'
import type { Action } from './rotation.ts'

/** An event in the life of the certificate, for log and metrics. Never contains a key or a certificate. */
export type CertificateEvent =
  | { type: 'step'; step: Exclude<Action['type'], 'serve'>; detail: string }
  | { type: 'serving'; certificate: string; notAfter: number }
  | { type: 'conflict'; step: Action['type'] }
  /** `refused`: the new certificate and key cannot be served; the previous pair stays */
  | { type: 'refused'; error: unknown }
  | { type: 'failed'; step: Action['type'] | 'read'; error: unknown }

/** Pino's loggers have this shape. */
export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/**
 * Returns a function that logs an event and passes it to `onEvent`, whose failure is only logged.
 * @param name what log lines call the certificate
 */
export function createEventEmitter(
  log: Log,
  onEvent?: (event: CertificateEvent) => void,
  name = 'webhook certificate',
): (event: CertificateEvent) => void {
  return (event) => {
    logEvent(log, name, event)
    try {
      onEvent?.(event)
    } catch (error) {
      log.error({ error: messageOf(error) }, `${name}: the handler of an event failed`)
    }
  }
}

/** Logs an event as one line. */
function logEvent(log: Log, name: string, event: CertificateEvent): void {
  switch (event.type) {
    case 'step':
      return log.info({ step: event.step }, `${name}: ${event.detail}`)
    case 'serving':
      return log.info(
        { certificate: event.certificate, notAfter: new Date(event.notAfter).toISOString() },
        `${name}: serving the new certificate to new connections`,
      )
    case 'conflict':
      return log.info(
        { step: event.step },
        `${name}: the Secret or a webhook configuration changed in the meantime; reading again`,
      )
    case 'refused':
      return log.error(
        { error: messageOf(event.error) },
        `${name}: the new certificate and key cannot be served; the previous certificate stays`,
      )
    case 'failed':
      return log.warn({ step: event.step, error: messageOf(event.error) }, `${name}: a step failed and will be retried`)
  }
}
