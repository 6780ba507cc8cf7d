import fc from 'fast-check'
import t from 'tap'
import type { Problem } from '../../sidecar/memory.ts'
import { bounded, firmPatience, whyGiveUp } from '../../sidecar/start.ts'

const transient: Problem = { kind: 'timeout', message: 'vault kv: timed out', since: 0, transient: true }
const firm = (since: number, message = 'vault kv: 403'): Problem => ({ kind: 'forbidden', message, since: 0, transient: false, firmSince: since }) // prettier-ignore
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
