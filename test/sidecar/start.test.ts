import fc from 'fast-check'
import t from 'tap'
import { nextProblem, type Problem } from '../../sidecar/memory.ts'
import { bounded, doubtfulPatience, firmPatience, whyGiveUp, whyWaiting } from '../../sidecar/start.ts'
import type { Outlook } from '../../sidecar/vault/vault.ts'

const transient: Problem = { kind: 'timeout', message: 'vault kv: timed out', since: 0, outlook: 'transient' }
const firm = (since: number, message = 'vault kv: 403'): Problem => ({ kind: 'forbidden', message, since: 0, outlook: 'permanent', doubtfulSince: since, firmSince: since }) // prettier-ignore
const doubtful = (since: number, message = 'vault kv: ENOTFOUND'): Problem => ({
  kind: 'network',
  message,
  since: 0,
  outlook: 'doubtful',
  doubtfulSince: since,
})
const startupTimeout = 300_000
const at = (now: number, ...problems: (Problem | undefined)[]) =>
  whyGiveUp({ startedAt: 0, now, startupTimeout, missing: problems.map((problem, index) => ({ what: `secret s${index}`, problem })) }) // prettier-ignore

void t.test('when the start is given up, and why', async (t) => {
  t.equal(at(0, undefined), undefined, 'not before anything happened')
  t.equal(at(startupTimeout - 1, transient), undefined, 'a transient failure is tried until the timeout')
  t.equal(at(startupTimeout, transient), "vault kv: timed out\ngave up after 5m, the pod's startup-timeout")
  t.equal(at(startupTimeout, undefined), "secret s0: no answer yet\ngave up after 5m, the pod's startup-timeout")
  t.equal(at(firmPatience - 1, firm(0)), undefined, 'a refusal is tried for 15 s')
  t.equal(at(firmPatience, firm(0)), 'vault kv: 403')
  t.equal(at(firmPatience, firm(5_000)), undefined, 'counted from the first refusal on')
  t.equal(at(firmPatience, firm(0), transient), 'vault kv: 403\nvault kv: timed out', 'all that fails is named')
  t.equal(at(firmPatience, firm(0), undefined), 'vault kv: 403', 'what was not tried is no news beside it')
  t.equal(at(firmPatience, firm(0), firm(0)), 'vault kv: 403', 'each reason once')
  t.equal(at(doubtfulPatience - 1, doubtful(0)), undefined, 'what is usually misconfigured is tried for 50 s')
  t.equal(at(doubtfulPatience, doubtful(0)), 'vault kv: ENOTFOUND')
  t.equal(
    at(doubtfulPatience, { ...firm(doubtfulPatience - 1), doubtfulSince: 0 }),
    'vault kv: 403',
    'a refusal that follows it does not start a new count',
  )
})

void t.test('waiting: the reasons so far, for a process that ends before it gives up', async (t) => {
  t.equal(whyWaiting([{ what: 'secret a', problem: undefined }]), 'secret a: no answer yet')
  t.equal(
    whyWaiting([
      { what: 'secret a', problem: undefined },
      { what: 'secret b', problem: transient },
    ]),
    'vault kv: timed out',
  )
})

void t.test('problems: since when a failure has been permanent or doubtful', async (t) => {
  let time = 0
  const clock = { now: () => time, elapsed: () => time }
  const next = (earlier: Problem | undefined, outlook: Outlook) => {
    time += 1_000
    return nextProblem(earlier, { kind: 'network', message: 'm', outlook }, clock)
  }
  const first = next(undefined, 'doubtful')
  t.match(first, { since: 1_000, doubtfulSince: 1_000, firmSince: undefined })
  const second = next(first, 'permanent')
  t.match(second, { doubtfulSince: 1_000, firmSince: 2_000 })
  const third = next(second, 'doubtful')
  t.match(third, { doubtfulSince: 1_000, firmSince: undefined })
  const fourth = next(third, 'transient')
  t.match(fourth, { since: 1_000, doubtfulSince: undefined }, 'a transient failure starts a new count')
  t.match(next(fourth, 'doubtful'), { since: 1_000, doubtfulSince: 5_000 })
})

void t.test('a reason fits into what the kubelet keeps', async (t) => {
  t.equal(bounded(['a', 'b']), 'a\nb')
  const lines = Array.from({ length: 100 }, (_, index) => `${index}: ${'x'.repeat(90)}`)
  t.match(bounded(lines), /^0: x+\n1: [^]*\n\.\.\. and \d+ more; see the log$/)
  t.match(bounded(['\u20ac'.repeat(2000)]), /^\u20ac+$/, 'no character is cut in half')
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 3000 }), { minLength: 1 }), (some) => {
      const text = bounded(some)
      return Buffer.byteLength(text) <= 4096 && text.isWellFormed()
    }),
  )
})
