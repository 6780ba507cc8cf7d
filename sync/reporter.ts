import type { Logger } from '../shared/log.ts'
import type { VaultRequest } from '../shared/vault/key-vault/client.ts'
import type { SignIn } from '../shared/vault/sign-in/credential.ts'
import type { SyncPoll } from './class-sync.ts'
import type { SyncEvents } from './events.ts'
import type { SyncMetrics } from './metrics.ts'
import type { RequestingClass } from './watch.ts'

/** Tells what polls did: in the log, in metrics, and in Events on the classes. */
export interface SyncReporter {
  polled: (one: RequestingClass, poll: SyncPoll) => Promise<void>
  request: (request: VaultRequest) => void
  signIn: (signIn: SignIn) => void
}

/** Every line has an `event`, and none has a secret value. */
export function createReporter(to: { log: Logger; events: SyncEvents; metrics: SyncMetrics }): SyncReporter {
  const { log, events, metrics } = to
  return {
    async polled(one, poll) {
      const { namespace, name, uid } = one
      metrics.polled(`${namespace}/${name}`, poll)
      for (const { secret, outcome, versions } of poll.writes) {
        // The audit line of a write.
        const line = { event: 'secret-write', namespace, class: name, secret, outcome, versions }
        log[outcome === 'unchanged' ? 'debug' : 'info'](line, `Secret ${namespace}/${secret}: ${outcome}`)
      }
      for (const message of poll.messages) {
        if (message.reason !== 'Synced')
          log.warn({ event: 'sync', reason: message.reason, namespace, class: name }, message.message)
        await events.tell({ namespace, name, uid }, message)
      }
    },
    request({ vault, operation, durationMs, ...rest }) {
      metrics.request({ operation, outcome: rest.outcome })
      const line = { event: 'vault-request', vault, operation, ...rest, durationMs: Math.round(durationMs) }
      log[operation === 'get' ? 'info' : 'debug'](line, `${operation} ${rest.type} ${rest.object ?? ''}`.trim())
    },
    signIn({ durationMs, message, ...rest }) {
      metrics.signIn(rest)
      const isGood = rest.outcome === 'success'
      const line = { event: 'sign-in', ...rest, durationMs: Math.round(durationMs) }
      log[isGood ? 'info' : 'warn'](line, isGood ? 'signed in' : (message ?? 'sign-in failed'))
    },
  }
}
