import t from 'tap'
import type { Failure } from '../../shared/detect/failures.ts'
import {
  doubtfulFailureGraceMs,
  permanentFailureGraceMs,
  giveUpReason,
  whyWaiting,
} from '../../sidecar/startup-deadline.ts'
import { terminationMessage } from '../../sidecar/termination-message.ts'

const transient: Failure = { kind: 'timeout', message: 'vault kv: timed out', since: 0, outlook: 'transient' }
const permanent = (since: number, message = 'vault kv: 403'): Failure => ({
  kind: 'forbidden',
  message,
  since: 0,
  outlook: 'permanent',
  doubtfulSince: since,
  permanentSince: since,
})
const doubtful = (since: number, message = 'vault kv: ENOTFOUND'): Failure => ({
  kind: 'network',
  message,
  since: 0,
  outlook: 'doubtful',
  doubtfulSince: since,
})
const link = (outcome: string) => ` (docs: troubleshooting.md#sidecar-${outcome})`
const startupTimeout = 300_000
const at = (now: number, ...failures: (Failure | undefined)[]) => {
  const reason = giveUpReason({
    startedAt: 0,
    now,
    startupTimeout,
    missing: failures.map((failure, index) => ({ what: `secret s${index}`, failure })),
  })
  return reason && terminationMessage(reason)
}

void t.test('startup deadline: when and why the sidecar gives up', async (t) => {
  t.equal(at(0, undefined), undefined, 'not before anything happened')
  t.equal(at(startupTimeout - 1, transient), undefined, 'a transient failure is tried until the timeout')
  t.equal(
    at(startupTimeout, transient),
    `vault kv: timed out\ngave up after 5m, the pod's startup-timeout${link('timeout')}`,
  )
  t.equal(
    at(startupTimeout, undefined),
    `secret s0: no answer yet\ngave up after 5m, the pod's startup-timeout${link('no-answer')}`,
  )
  t.equal(at(permanentFailureGraceMs - 1, permanent(0)), undefined, 'a refusal is tried for 15 s')
  t.equal(at(permanentFailureGraceMs, permanent(0)), `vault kv: 403${link('forbidden')}`)
  t.equal(at(permanentFailureGraceMs, permanent(5_000)), undefined, 'counted from the first refusal on')
  t.equal(
    at(permanentFailureGraceMs, permanent(0), transient),
    `vault kv: 403\nvault kv: timed out${link('forbidden')}`,
    'all that fails is named',
  )
  t.equal(
    at(permanentFailureGraceMs, transient, permanent(0)),
    `vault kv: timed out\nvault kv: 403${link('forbidden')}`,
    'the link leads to what no retry can help',
  )
  t.equal(
    at(permanentFailureGraceMs, permanent(0), undefined),
    `vault kv: 403${link('forbidden')}`,
    'what was not tried is no news beside it',
  )
  t.equal(
    at(permanentFailureGraceMs, permanent(0), permanent(0)),
    `vault kv: 403${link('forbidden')}`,
    'each reason once',
  )
  t.equal(at(doubtfulFailureGraceMs - 1, doubtful(0)), undefined, 'what is usually misconfigured is tried for 50 s')
  t.equal(at(doubtfulFailureGraceMs, doubtful(0)), `vault kv: ENOTFOUND${link('network')}`)
  t.equal(
    at(doubtfulFailureGraceMs, { ...permanent(doubtfulFailureGraceMs - 1), doubtfulSince: 0 }),
    `vault kv: 403${link('forbidden')}`,
    'a refusal that follows it does not start a new count',
  )
})

void t.test('startup deadline: the reasons so far, for a process that ends before it', async (t) => {
  const text = (missing: Parameters<typeof whyWaiting>[0]) => terminationMessage(whyWaiting(missing))
  t.equal(text([{ what: 'secret a', failure: undefined }]), `secret a: no answer yet${link('no-answer')}`)
  t.equal(
    text([
      { what: 'secret a', failure: undefined },
      { what: 'secret b', failure: transient },
    ]),
    `vault kv: timed out${link('timeout')}`,
  )
})
